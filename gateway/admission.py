"""How much is taken on at once: turns at TorchServe, places in the queue, bytes in memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from gateway.errors import OverloadedError

_DETAIL = "Too many requests are waiting. Send the image again shortly."


class Admission:
    """At most max_concurrency turns at once, and at most max_queue requests waiting for one."""

    def __init__(self, max_concurrency: int, max_queue: int) -> None:
        self._turns = asyncio.Semaphore(max_concurrency)
        self._max_queue = max_queue
        self._waiting = 0

    def refuse_if_full(self) -> None:
        """Raises OverloadedError while nobody else could wait: asked before an upload is read."""
        if self._turns.locked() and self._waiting >= self._max_queue:
            raise OverloadedError(_DETAIL)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[float]:
        """One turn, in the order of arrival; gives the seconds waited for it."""
        self.refuse_if_full()
        arrived = time.perf_counter()
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield time.perf_counter() - arrived
        finally:
            self._turns.release()


class Memory:
    """A budget of bytes that all uploads share, so that no number of them exhausts the process."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = 0

    @contextmanager
    def lease(self) -> Iterator["Lease"]:
        """A share that grows as an upload arrives and is given back in the end."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            self._held -= lease.size

    def take(self, size: int) -> None:
        """Raises OverloadedError if that much is not left."""
        if self._held + size > self._max_bytes:
            raise OverloadedError("Too many large images arrive at once. Send it again shortly.")
        self._held += size


class Lease:
    """One upload's share of the budget."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.size = 0

    def grow(self, size: int) -> None:
        """Takes more; raises OverloadedError if there is none left."""
        self._memory.take(size)
        self.size += size
