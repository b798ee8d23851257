"""Work on many pixels leaves the event loop to others."""

import asyncio
import threading
import time

import pytest

from gateway.memory import Memory
from gateway.offload import Offload

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("pixels", "inline"), [(640 * 480, True), (12_000_000, False)])
async def test_only_large_work_is_moved_to_a_thread(pixels: int, inline: bool) -> None:
    """To hand over small work takes as long as to do it."""
    thread = await Offload().run(pixels, threading.get_ident)
    assert (thread == threading.get_ident()) == inline


async def test_two_at_once_and_the_loop_goes_on() -> None:
    """The third waits; meanwhile others are served."""
    offload, running, most = Offload(), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1

    tasks = [asyncio.create_task(offload.run(10**7, work)) for _ in range(5)]
    turns = 0
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.001)
        turns += 1
    assert most == 2
    assert turns > 20


async def test_a_failure_is_the_callers() -> None:
    """Whatever the work raises, and its turn is free again."""

    def fails() -> None:
        raise ValueError("no")

    offload = Offload()
    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            await offload.run(10**7, fails)


async def test_a_body_stays_in_the_budget_until_it_is_unpacked() -> None:
    """No number of bodies that wait for their turn takes more than all uploads may have."""
    offload, memory, free = Offload(), Memory(10**7), threading.Event()
    before = [asyncio.create_task(offload.run(10**7, free.wait)) for _ in range(2)]
    with memory.buffer() as body:
        body.fill(bytes(2_000_000))
        unpacking = asyncio.create_task(offload.unpack(body, len))
        await asyncio.sleep(0.05)
        assert (memory.held, unpacking.done()) == (2_000_000, False)
        free.set()
        assert await unpacking == 2_000_000
        assert memory.held == 0
    await asyncio.gather(*before)
