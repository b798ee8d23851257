"""CPU pool: work on many pixels runs in a few threads, so that it blocks no other request."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from gateway.admission.upload_budget import Upload

T = TypeVar("T")

# Smaller work takes about as long as handing it to a thread and back.
_INLINE_COST: Final = 1_000_000
# Each thread may need ten bytes for a pixel.
_THREADS: Final = 2


class CpuPool:
    """A bound on threads that work on pixels; small work runs on the event loop."""

    def __init__(self) -> None:
        self._threads = asyncio.Semaphore(_THREADS)

    async def run(self, cost: int, work: Callable[[], T]) -> T:
        """Call ``work`` and return its result; cost: pixels or bytes that it goes through."""
        if cost <= _INLINE_COST:
            return work()
        async with self._threads:
            return await asyncio.to_thread(work)

    async def decode_body(self, body: Upload, decode: Callable[[bytes], T]) -> T:
        """Call ``decode`` with the body's bytes, then clear the body.

        The bytes are joined only once a thread is free; until then the body keeps its share of the
        budget, so that there is room for what is in it.
        """
        decoded = await self.run(body.size, lambda: decode(b"".join(body.blocks)))
        body.clear()
        return decoded
