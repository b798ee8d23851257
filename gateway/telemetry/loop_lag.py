"""Event loop lag: how much too late a task wakes up because other code blocks the loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

_INTERVAL_S: Final = 0.25


async def watch(observe: Callable[[float], None], interval_s: float = _INTERVAL_S) -> None:
    """Sleep repeatedly and report the lag of each wake-up in seconds, until cancelled."""
    while True:
        due = time.perf_counter() + interval_s
        await asyncio.sleep(interval_s)
        observe(max(0.0, time.perf_counter() - due))


@asynccontextmanager
async def watched(observe: Callable[[float], None]) -> AsyncIterator[None]:
    """Watch the event loop while the block runs."""
    watching = asyncio.create_task(watch(observe))
    try:
        yield
    finally:
        watching.cancel()
