"""Measures how late the event loop is: what blocks it delays every request, and shows nowhere."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

_INTERVAL_S: Final = 0.25


async def watch(observe: Callable[[float], None], interval_s: float = _INTERVAL_S) -> None:
    """Sleeps and tells how much too late it woke up, in seconds, until it is cancelled."""
    while True:
        due = time.perf_counter() + interval_s
        await asyncio.sleep(interval_s)
        observe(max(0.0, time.perf_counter() - due))
