"""Limits on what is taken on at once."""

import asyncio

import pytest

from gateway.admission.slots import Admission
from gateway.errors import OverloadedError

pytestmark = pytest.mark.anyio


async def _hold(admission: Admission, release: asyncio.Event, log: list[str], name: str) -> None:
    async with admission.slot():
        log.append(name)
        await release.wait()


async def test_no_more_than_the_limit_run_at_once_and_the_rest_in_order() -> None:
    """Turns are given in the order of arrival."""
    admission, release, log = Admission(2, 3), asyncio.Event(), list[str]()
    tasks = [asyncio.create_task(_hold(admission, release, log, name)) for name in "abcde"]
    await asyncio.sleep(0)
    assert log == ["a", "b"]
    release.set()
    await asyncio.gather(*tasks)
    assert log == ["a", "b", "c", "d", "e"]


async def test_beyond_the_queue_is_refused_at_once() -> None:
    """Who cannot be served soon learns it now."""
    admission, release = Admission(1, 1), asyncio.Event()
    tasks = [asyncio.create_task(_hold(admission, release, [], name)) for name in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        admission.refuse_if_full()
    with pytest.raises(OverloadedError):
        async with admission.slot():
            pass
    release.set()
    await asyncio.gather(*tasks)
    admission.refuse_if_full()


async def test_who_gives_up_waiting_leaves_the_queue() -> None:
    """A deadline that fires in the queue frees the place."""
    admission, release = Admission(1, 1), asyncio.Event()
    running, waiting = (
        asyncio.create_task(_hold(admission, release, [], name)) for name in ("running", "waiting")
    )
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    admission.refuse_if_full()
    release.set()
    await running


async def test_a_failure_gives_the_turn_back() -> None:
    """No error leaks a turn."""
    admission = Admission(1, 0)
    for _ in range(3):
        with pytest.raises(ValueError, match="x"):
            async with admission.slot():
                raise ValueError("x")


async def test_without_a_queue_a_free_turn_is_still_taken() -> None:
    """A queue of zero refuses waiting, not working."""
    async with Admission(1, 0).slot() as waited:
        assert waited < 1
