"""All uploads together stay within one budget."""

import pytest

from gateway.errors import OverloadedError
from gateway.memory import Memory


def test_the_budget_is_shared_and_given_back() -> None:
    """What one upload holds, another cannot have; in the end all is free again."""
    memory = Memory(100)
    with memory.buffer() as first, memory.buffer() as second:
        first.append(memoryview(bytes(60)))
        with pytest.raises(OverloadedError):
            second.append(memoryview(bytes(41)))
        second.append(memoryview(bytes(40)))
    with memory.buffer() as third:
        third.append(memoryview(bytes(100)))


def test_a_failure_gives_its_share_back() -> None:
    """No error leaks memory."""
    memory = Memory(100)

    def fail() -> None:
        with memory.buffer() as buffer:
            buffer.append(memoryview(bytes(100)))
            raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            fail()


def test_bytes_are_kept_in_order_in_blocks_that_do_not_grow_far() -> None:
    """What grows is moved around, and leaves holes."""
    data = bytes(range(250)) * 10_000
    with Memory(len(data)).buffer() as buffer:
        for start in range(0, len(data), 65_536):
            buffer.append(memoryview(data)[start : start + 65_536])
        assert b"".join(buffer.blocks) == data
        assert buffer.size == len(data)
        assert max(len(block) for block in buffer.blocks) < 2 * 256 * 1024


def test_the_bytes_are_gone_in_the_end_whoever_holds_the_buffer() -> None:
    """Tracebacks and cycles outlive requests; images must not."""
    with Memory(100).buffer() as buffer:
        buffer.append(memoryview(b"photo"))
    assert buffer.blocks == []


def test_what_is_taken_out_is_no_part_of_the_budget() -> None:
    """A body that is unpacked makes room for what was in it."""
    memory = Memory(600_000)
    data = bytes(range(250)) * 2000
    with memory.buffer() as buffer:
        buffer.fill(data)
        assert (memory.held, max(len(block) for block in buffer.blocks)) == (500_000, 256 * 1024)
        assert buffer.take_out() == data
        assert (memory.held, buffer.size, buffer.blocks) == (0, 0, [])
        buffer.fill(data)
        assert b"".join(buffer.blocks) == data
    assert memory.held == 0
