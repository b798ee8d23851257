"""All uploads together stay within one budget."""

import pytest

from gateway.admission.upload_budget import Upload, UploadBudget
from gateway.errors import OverloadedError, UnreadableImageError
from tests.unit.gateway.doubles import Clock


def test_the_budget_is_shared_and_given_back() -> None:
    """What one upload holds, another cannot have; in the end all is free again."""
    memory = UploadBudget(100)
    with memory.upload() as first, memory.upload() as second:
        first.append(memoryview(bytes(60)))
        with pytest.raises(OverloadedError):
            second.append(memoryview(bytes(41)))
        second.append(memoryview(bytes(40)))
    with memory.upload() as third:
        third.append(memoryview(bytes(100)))


def test_a_failure_gives_its_share_back() -> None:
    """No error leaks memory."""
    memory = UploadBudget(100)

    def fail() -> None:
        with memory.upload() as buffer:
            buffer.append(memoryview(bytes(100)))
            raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            fail()


def test_bytes_are_kept_in_order_in_blocks_that_do_not_grow_far() -> None:
    """What grows is moved around, and leaves holes."""
    data = bytes(range(250)) * 10_000
    with UploadBudget(len(data)).upload() as buffer:
        for start in range(0, len(data), 65_536):
            buffer.append(memoryview(data)[start : start + 65_536])
        assert b"".join(buffer.blocks) == data
        assert buffer.size == len(data)
        assert max(len(block) for block in buffer.blocks) < 2 * 256 * 1024


def test_the_bytes_are_gone_in_the_end_whoever_holds_the_buffer() -> None:
    """Tracebacks and cycles outlive requests; images must not."""
    with UploadBudget(100).upload() as buffer:
        buffer.append(memoryview(b"photo"))
    assert buffer.blocks == []


def test_what_is_taken_out_is_no_part_of_the_budget() -> None:
    """A body that is unpacked makes room for what was in it."""
    memory = UploadBudget(600_000)
    data = bytes(range(250)) * 2000
    with memory.upload() as buffer:
        buffer.fill(data)
        assert (memory.held, max(len(block) for block in buffer.blocks)) == (500_000, 256 * 1024)
        assert buffer.take_out() == data
        assert (memory.held, buffer.size, buffer.blocks) == (0, 0, [])
        buffer.fill(data)
        assert b"".join(buffer.blocks) == data
    assert memory.held == 0


def _append(buffer: Upload, size: int) -> None:
    buffer.append(memoryview(bytes(size)))


@pytest.mark.parametrize("trickle", [0, 1])
def test_a_client_that_stops_in_the_middle_makes_room_for_others(trickle: int) -> None:
    """Also one that sends a byte now and then; its own upload ends with words that say why."""
    clock = Clock()
    memory = UploadBudget(10_000_000, clock)
    with memory.upload() as stopped, memory.upload() as other:
        stopped.begin()
        _append(stopped, 9_000_000)
        for _ in range(6):
            clock.now += 1
            if trickle:
                _append(stopped, trickle)
        other.begin()
        _append(other, 5_000_000)
        assert (stopped.size, stopped.blocks) == (0, [])
        with pytest.raises(OverloadedError, match="slow"):
            _append(stopped, 1)
        with pytest.raises(OverloadedError, match="slow"):
            stopped.end()
        other.end()
        assert memory.held == 5_000_000


def test_a_steady_client_keeps_what_it_has() -> None:
    """A phone's 100 KB a second are no reason to give an upload up."""
    clock = Clock()
    memory = UploadBudget(2_000_000, clock)
    with memory.upload() as steady, memory.upload() as other:
        steady.begin()
        for _ in range(15):
            clock.now += 1
            _append(steady, 100_000)
        with pytest.raises(OverloadedError, match="arrive at once"):
            _append(other, 1_000_000)
        steady.end()
        assert steady.size == 1_500_000


def test_an_image_that_has_arrived_is_never_given_up() -> None:
    """It waits for its turn, not for its client."""
    clock = Clock()
    memory = UploadBudget(2_000_000, clock)
    with memory.upload() as waiting, memory.upload() as other:
        with waiting.receiving():
            _append(waiting, 1_500_000)
        clock.now += 60
        with pytest.raises(OverloadedError):
            _append(other, 1_000_000)
        assert waiting.size == 1_500_000


def test_a_client_to_whom_nobody_listens_is_not_slow() -> None:
    """Afterwards it has as much time as ever, and no more."""
    clock = Clock()
    memory = UploadBudget(1_000_000, clock)
    with memory.upload() as paused, memory.upload() as other:
        paused.begin()
        _append(paused, 600_000)
        with paused.paused():
            clock.now += 60
            with pytest.raises(OverloadedError):
                _append(other, 500_000)
        clock.now += 1
        with pytest.raises(OverloadedError):
            _append(other, 500_000)
        assert paused.size == 600_000
        clock.now += 5
        _append(other, 500_000)
        assert paused.size == 0


def test_what_is_no_arriving_upload_is_none_after_a_pause() -> None:
    """It has arrived, or was given up."""
    memory = UploadBudget(1000)
    with memory.upload() as buffer:
        with buffer.paused():
            assert memory.receiving == set()
        assert memory.receiving == set()


def test_no_more_is_given_up_than_is_needed() -> None:
    """The largest first."""
    clock = Clock()
    memory = UploadBudget(1_000_000, clock)
    with memory.upload() as small, memory.upload() as large, memory.upload() as other:
        for buffer, size in ((small, 300_000), (large, 600_000)):
            buffer.begin()
            _append(buffer, size)
        clock.now += 10
        _append(other, 500_000)
        assert (small.size, large.size) == (300_000, 0)


def test_what_was_given_up_is_not_taken_for_a_broken_image() -> None:
    """Its reader finds nothing, and says what is wrong with that: but it was not the client."""
    clock = Clock()
    memory = UploadBudget(1_000, clock)

    def read(slow: Upload, other: Upload) -> None:
        with slow.receiving():
            _append(slow, 900)
            clock.now += 10
            _append(other, 500)
            raise UnreadableImageError("The file is empty.")

    slow, other = Upload(memory), Upload(memory)
    with pytest.raises(OverloadedError, match="slow"):
        read(slow, other)
