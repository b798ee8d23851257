"""How many bytes of uploads are held at once: a budget that all requests share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.errors import OverloadedError

# Many blocks of one size instead of one that grows: an allocator that has to move what grows
# keeps the holes.
_BLOCK: Final = 256 * 1024


class Memory:
    """Buffers for uploads, so that no number of them exhausts the process."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = 0

    @property
    def max_bytes(self) -> int:
        """What all buffers together may hold."""
        return self._max_bytes

    @property
    def held(self) -> int:
        """Bytes in all buffers."""
        return self._held

    @contextmanager
    def buffer(self) -> Iterator["Buffer"]:
        """An empty buffer; what it holds in the end is let go, whoever else still refers to it.

        It must be: an exception's traceback, or httpx's cycle of request and response, may
        outlive the request by much.
        """
        buffer = Buffer(self)
        try:
            yield buffer
        finally:
            buffer.clear()

    def has_room(self, size: int) -> bool:
        """Whether that much is left."""
        return self._held + size <= self._max_bytes

    def take(self, size: int) -> None:
        """Raises OverloadedError if that much is not left."""
        if not self.has_room(size):
            raise OverloadedError("Too many large images arrive at once. Send it again shortly.")
        self._held += size

    def give_back(self, size: int) -> None:
        """So much is held no longer."""
        self._held -= size


class Buffer:
    """One upload's share of the budget, and the bytes that fill it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.size = 0
        self.blocks: list[bytearray] = []

    def append(self, data: memoryview) -> None:
        """Keeps a copy of the data; raises OverloadedError if the budget is spent."""
        self._memory.take(len(data))
        self.size += len(data)
        if not self.blocks or len(self.blocks[-1]) >= _BLOCK:
            self.blocks.append(bytearray())
        self.blocks[-1] += data

    def clear(self) -> None:
        """Lets go of what it holds."""
        self.blocks.clear()
        self._memory.give_back(self.size)
        self.size = 0

    def take_out(self) -> bytes:
        """All that it holds, which then is no part of the budget any more."""
        data = b"".join(self.blocks)
        self.clear()
        return data

    def fill(self, data: bytes) -> None:
        """Appends what is at hand already, in blocks."""
        whole = memoryview(data)
        for start in range(0, len(data), _BLOCK):
            self.append(whole[start : start + _BLOCK])
