"""How many bytes of uploads are held at once: a budget that all requests share."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from gateway.errors import GatewayError, OverloadedError

# Many blocks of one size instead of one that grows: an allocator that has to move what grows
# keeps the holes.
_BLOCK: Final = 256 * 1024
# An upload is slow when nothing of it came for some seconds, or less than that in each of them.
_SILENT_S: Final = 5.0
_SLOW_BYTES_A_SECOND: Final = 64 * 1024
_WINDOW_S: Final = 2.0


class Memory:
    """Buffers for uploads, so that no number of them exhausts the process.

    When the budget is spent, uploads that arrive slowly are given up for those that do not: two
    clients that stop in the middle of a large image would keep everybody else out.
    """

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.arriving: set[Buffer] = set()
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
            self.arriving.discard(buffer)
            buffer.clear()

    def has_room(self, size: int) -> bool:
        """Whether that much is left."""
        return self._held + size <= self._max_bytes

    def take(self, size: int, taker: "Buffer") -> None:
        """Raises OverloadedError if that much is not left, nor held by slow uploads of others."""
        if not self.has_room(size):
            self._give_up_slow_ones(size, taker)
        if not self.has_room(size):
            raise OverloadedError("Too many large images arrive at once. Send it again shortly.")
        self._held += size

    def _give_up_slow_ones(self, size: int, taker: "Buffer") -> None:
        now = self.clock()
        slow = [each for each in self.arriving if each is not taker and each.is_slow(now)]
        for buffer in sorted(slow, key=lambda each: each.size, reverse=True):
            if not self.has_room(size):
                buffer.give_up()

    def give_back(self, size: int) -> None:
        """So much is held no longer."""
        self._held -= size


class Buffer:
    """One upload's share of the budget, and the bytes that fill it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._given_up = False
        self._last = self._window = memory.clock()
        self._size_before = self.size = 0
        self.blocks: list[bytearray] = []

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """While its bytes arrive from a client; raises OverloadedError if it was given up."""
        self.begin()
        try:
            yield
        except GatewayError:
            self.end()  # whatever seems wrong with what was given up is no fault of the client
            raise
        finally:
            self._memory.arriving.discard(self)
        self.end()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While nobody listens to its client, which is not slow for that; then its time is new."""
        was_arriving = self in self._memory.arriving
        self._memory.arriving.discard(self)
        try:
            yield
        finally:
            if was_arriving:
                self.begin()

    def begin(self) -> None:
        """Its bytes begin to arrive, or go on to."""
        self._last = self._window = self._memory.clock()
        self._size_before = self.size
        self._memory.arriving.add(self)

    def end(self) -> None:
        """They have arrived; raises OverloadedError if it was given up."""
        self._memory.arriving.discard(self)
        self._check()

    def is_slow(self, now: float) -> bool:
        """Whether a client keeps others from the memory without need."""
        if now - self._last >= _SILENT_S:
            return True
        elapsed = now - self._window
        return elapsed >= _WINDOW_S and not self._is_fast(elapsed)

    def give_up(self) -> None:
        """Lets go of what it holds; nothing more is kept."""
        self._given_up = True
        self._memory.arriving.discard(self)
        self.clear()

    def _is_fast(self, elapsed: float) -> bool:
        return self.size - self._size_before >= _SLOW_BYTES_A_SECOND * elapsed

    def _check(self) -> None:
        if self._given_up:
            raise OverloadedError(
                "The upload was slow while others needed the memory. Send it again shortly."
            )

    def _note_progress(self) -> None:
        now = self._last = self._memory.clock()
        if now - self._window >= _WINDOW_S and self._is_fast(now - self._window):
            self._window, self._size_before = now, self.size

    def append(self, data: memoryview) -> None:
        """Keeps a copy of the data; raises OverloadedError if the budget is spent."""
        self._check()
        self._memory.take(len(data), self)
        self.size += len(data)
        self._note_progress()
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
