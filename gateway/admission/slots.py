"""Admission: slots at TorchServe, and a bounded queue of requests that wait for one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.errors import OverloadedError

_DETAIL = "Too many requests are waiting. Send the image again shortly."


class Admission:
    """At most max_concurrency slots in use, and at most max_queue requests waiting for one."""

    def __init__(self, max_concurrency: int, max_queue: int) -> None:
        self._slots = asyncio.Semaphore(max_concurrency)
        self._max_queue = max_queue
        self._waiting = 0
        self._in_use = 0

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._waiting

    @property
    def in_use(self) -> int:
        """Slots in use."""
        return self._in_use

    def refuse_if_full(self) -> None:
        """Raise OverloadedError if the queue is full; checked before an upload is read."""
        if self._slots.locked() and self._waiting >= self._max_queue:
            raise OverloadedError(_DETAIL)

    @asynccontextmanager
    async def acquire_slot(self) -> AsyncIterator[float]:
        """Hold a slot, granted in order of arrival; yields the seconds spent in the queue."""
        self.refuse_if_full()
        arrived = time.perf_counter()
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        self._in_use += 1
        try:
            yield time.perf_counter() - arrived
        finally:
            self._in_use -= 1
            self._slots.release()
