"""Upload budget: a bound on the bytes of all uploads in memory, shared by all requests."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

from gateway.errors import GatewayError, OverloadedError

# Blocks of one size instead of one growing buffer: moving a growing buffer fragments the heap.
_BLOCK: Final = 256 * 1024
# An upload is slow if no bytes arrived for some seconds, or if it fell below this rate in a window.
_SILENT_S: Final = 5.0
_SLOW_BYTES_PER_SECOND: Final = 64 * 1024
_WINDOW_S: Final = 2.0


class UploadBudget:
    """A budget of bytes, max_bytes, for all uploads together.

    When the budget is spent, slow uploads are evicted in favour of fast ones: otherwise two
    clients that stall in the middle of a large image would block all others.
    """

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.receiving: set[Upload] = set()
        self._max_bytes = max_bytes
        self._held = 0

    @property
    def max_bytes(self) -> int:
        """The most bytes that all uploads together may hold."""
        return self._max_bytes

    @property
    def held(self) -> int:
        """Bytes held by all uploads."""
        return self._held

    def upload(self) -> "Upload":
        """An empty upload, for use as a context manager."""
        return Upload(self)

    def has_room(self, size: int) -> bool:
        """Whether so many bytes are left."""
        return self._held + size <= self._max_bytes

    def reserve(self, size: int, upload: "Upload") -> None:
        """Reserve bytes, evicting slow uploads if necessary; raises OverloadedError."""
        if not self.has_room(size):
            self._evict_slow_uploads(size, upload)
        if not self.has_room(size):
            raise OverloadedError("Too many large images arrive at once. Send it again shortly.")
        self._held += size

    def _evict_slow_uploads(self, size: int, upload: "Upload") -> None:
        now = self.clock()
        slow = [each for each in self.receiving if each is not upload and each.is_slow(now)]
        for candidate in sorted(slow, key=lambda each: each.size, reverse=True):
            if not self.has_room(size):
                candidate.evict()

    def release(self, size: int) -> None:
        """Return reserved bytes to the budget."""
        self._held -= size


class Upload:
    """The bytes of one upload, in blocks, and their share of the budget.

    A context manager that clears it: a traceback may keep a reference long after the request.
    """

    def __init__(self, budget: UploadBudget) -> None:
        self._budget = budget
        self._evicted = False
        self._last = self._window = budget.clock()
        self._size_before = self.size = 0
        self.blocks: list[bytearray] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.receiving.discard(self)
        self.clear()

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """The block in which bytes arrive from a client; raises OverloadedError if evicted."""
        self.begin()
        try:
            yield
        except GatewayError:
            self.end()  # raises the eviction, which is the cause of any other error
            raise
        finally:
            self._budget.receiving.discard(self)
        self.end()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The block in which the gateway does not read; its time does not make the client slow."""
        was_receiving = self in self._budget.receiving
        self._budget.receiving.discard(self)
        try:
            yield
        finally:
            if was_receiving:
                self.begin()

    def begin(self) -> None:
        """Start, or restart, measuring how fast bytes arrive."""
        self._last = self._window = self._budget.clock()
        self._size_before = self.size
        self._budget.receiving.add(self)

    def end(self) -> None:
        """Stop measuring; raises OverloadedError if the upload was evicted."""
        self._budget.receiving.discard(self)
        self._raise_if_evicted()

    def is_slow(self, now: float) -> bool:
        """Whether the client sends too slowly to keep its share of the budget."""
        if now - self._last >= _SILENT_S:
            return True
        elapsed = now - self._window
        return elapsed >= _WINDOW_S and not self._is_fast(elapsed)

    def evict(self) -> None:
        """Drop the bytes and refuse further ones."""
        self._evicted = True
        self._budget.receiving.discard(self)
        self.clear()

    def _is_fast(self, elapsed: float) -> bool:
        return self.size - self._size_before >= _SLOW_BYTES_PER_SECOND * elapsed

    def _raise_if_evicted(self) -> None:
        if self._evicted:
            raise OverloadedError(
                "The upload was slow while others needed the memory. Send it again shortly."
            )

    def _note_progress(self) -> None:
        now = self._last = self._budget.clock()
        if now - self._window >= _WINDOW_S and self._is_fast(now - self._window):
            self._window, self._size_before = now, self.size

    def append(self, data: memoryview) -> None:
        """Copy bytes into the upload; raises OverloadedError if the budget is spent."""
        self._raise_if_evicted()
        self._budget.reserve(len(data), self)
        self.size += len(data)
        self._note_progress()
        if not self.blocks or len(self.blocks[-1]) >= _BLOCK:
            self.blocks.append(bytearray())
        self.blocks[-1] += data

    def clear(self) -> None:
        """Drop the bytes and return their share to the budget."""
        self.blocks.clear()
        self._budget.release(self.size)
        self.size = 0

    def move(self) -> "Upload":
        """Return an upload with all bytes of this one and their share; this one is empty then."""
        moved = self._budget.upload()
        moved.blocks, self.blocks = self.blocks, []
        moved.size, self.size = self.size, 0
        return moved

    def take_out(self) -> bytes:
        """Remove all bytes from the upload and the budget, and return them."""
        data = b"".join(self.blocks)
        self.clear()
        return data

    def fill(self, data: bytes) -> None:
        """Append bytes that are in memory already, in blocks."""
        whole = memoryview(data)
        for start in range(0, len(data), _BLOCK):
            self.append(whole[start : start + _BLOCK])
