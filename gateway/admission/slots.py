"""How many requests are taken on at once: turns at TorchServe and places in the queue."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.errors import OverloadedError

_DETAIL = "Too many requests are waiting. Send the image again shortly."


class Admission:
    """At most max_concurrency turns at once, and at most max_queue requests waiting for one."""

    def __init__(self, max_concurrency: int, max_queue: int) -> None:
        self._turns = asyncio.Semaphore(max_concurrency)
        self._max_queue = max_queue
        self._waiting = 0
        self._taken = 0

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._waiting

    @property
    def taken(self) -> int:
        """Turns that are taken."""
        return self._taken

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
        self._taken += 1
        try:
            yield time.perf_counter() - arrived
        finally:
            self._taken -= 1
            self._turns.release()
