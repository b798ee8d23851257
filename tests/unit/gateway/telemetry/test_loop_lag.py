"""Whatever blocks the event loop is seen."""

import asyncio
import time

import pytest

from gateway.telemetry import loop_lag

pytestmark = pytest.mark.anyio


async def test_what_blocks_the_loop_is_measured() -> None:
    """In seconds, of the wake-up that came too late."""
    found: list[float] = []
    watch = asyncio.create_task(loop_lag.watch(found.append, 0.02))
    await asyncio.sleep(0.01)
    time.sleep(0.2)  # the fault that is looked for
    await asyncio.sleep(0.01)
    watch.cancel()
    assert max(found) > 0.1


async def test_an_idle_loop_is_hardly_late() -> None:
    """And never early."""
    found: list[float] = []
    watch = asyncio.create_task(loop_lag.watch(found.append, 0.01))
    while len(found) < 3:
        await asyncio.sleep(0.01)
    watch.cancel()
    assert all(each >= 0 for each in found)
    assert min(found) < 0.1
