"""Slots at TorchServe, and a bounded queue of requests that wait for one."""

import asyncio
import time

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

    def slot(self, *, was_admitted: bool = False) -> "_Slot":
        """A slot to hold during a block; yields the seconds spent in the queue.

        Slots are granted in order of arrival. Raises OverloadedError if the queue is full, unless
        the request was admitted before: what is sent again cannot be refused any more.
        """
        return _Slot(self, was_admitted=was_admitted)

    async def acquire_slot(self, *, was_admitted: bool = False) -> None:
        """Wait for a slot in the queue."""
        if not was_admitted:
            self.refuse_if_full()
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        self._in_use += 1

    def release_slot(self) -> None:
        """Give a slot to the next request in the queue."""
        self._in_use -= 1
        self._slots.release()


class _Slot:
    """A slot in use; a class, as it costs half of a generator."""

    def __init__(self, admission: Admission, *, was_admitted: bool) -> None:
        self._admission = admission
        self._was_admitted = was_admitted

    async def __aenter__(self) -> float:
        arrived = time.perf_counter()
        await self._admission.acquire_slot(was_admitted=self._was_admitted)
        return time.perf_counter() - arrived

    async def __aexit__(self, *_: object) -> None:
        self._admission.release_slot()
