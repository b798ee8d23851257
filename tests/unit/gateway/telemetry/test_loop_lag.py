"""The event loop's lag."""

import asyncio
import time

import pytest

from gateway.telemetry import loop_lag

pytestmark = pytest.mark.anyio


async def test_what_blocks_the_loop_is_measured() -> None:
    """A blocked loop is reported in seconds."""
    lags: list[float] = []
    watch = asyncio.create_task(loop_lag.watch(lags.append, 0.02))
    await asyncio.sleep(0.01)
    time.sleep(0.2)  # block the loop
    await asyncio.sleep(0.01)
    watch.cancel()
    assert max(lags) > 0.1


async def test_the_lag_does_not_include_the_interval() -> None:
    """All lags and intervals together take no longer than the test."""
    lags: list[float] = []
    started = time.perf_counter()
    watch = asyncio.create_task(loop_lag.watch(lags.append, 0.05))
    while len(lags) < 3:
        await asyncio.sleep(0.01)
    elapsed = time.perf_counter() - started
    watch.cancel()
    assert min(lags) >= 0
    assert sum(lags) <= elapsed - 0.05 * len(lags) + 0.001  # for the resolution of the clock
