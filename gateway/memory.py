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
            buffer.blocks.clear()
            self._held -= buffer.size

    def take(self, size: int) -> None:
        """Raises OverloadedError if that much is not left."""
        if self._held + size > self._max_bytes:
            raise OverloadedError("Too many large images arrive at once. Send it again shortly.")
        self._held += size


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
