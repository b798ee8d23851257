"""Slots at TorchServe and the queue for them."""

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
    """Slots are granted in order of arrival."""
    admission, release, log = Admission(2, 3), asyncio.Event(), list[str]()
    tasks = [asyncio.create_task(_hold(admission, release, log, name)) for name in "abcde"]
    await asyncio.sleep(0)
    assert log == ["a", "b"]
    release.set()
    await asyncio.gather(*tasks)
    assert log == ["a", "b", "c", "d", "e"]


async def test_beyond_the_queue_is_refused_at_once() -> None:
    """A request beyond the queue is refused without waiting."""
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


async def test_a_cancelled_request_leaves_the_queue() -> None:
    """A deadline that passes in the queue frees the place."""
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


async def test_a_failure_releases_the_slot() -> None:
    """An exception does not leak a slot."""
    admission = Admission(1, 0)
    for _ in range(3):
        with pytest.raises(ValueError, match="x"):
            async with admission.slot():
                raise ValueError("x")
        assert admission.in_use == 0


async def test_without_a_queue_a_free_slot_is_still_granted() -> None:
    """A queue of zero refuses waiting, not working."""
    admission = Admission(1, 0)
    async with admission.slot():
        assert (admission.in_use, admission.waiting) == (1, 0)
