"""CPU pool: run work on many pixels in a few threads instead of the event loop."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from gateway.admission.upload_budget import Upload

T = TypeVar("T")

# Handing work to a thread and back takes about as long as work of this cost.
_INLINE_COST: Final = 1_000_000
# Each thread may need ten bytes per pixel.
_THREADS: Final = 2


class CpuPool:
    """At most two threads for work on pixels; small work runs on the event loop."""

    def __init__(self) -> None:
        self._threads = asyncio.Semaphore(_THREADS)

    async def run(self, cost: int, work: Callable[[], T]) -> T:
        """Call ``work`` and return its result. cost: pixels or bytes that it processes."""
        if cost <= _INLINE_COST:
            return work()
        async with self._threads:
            return await asyncio.to_thread(work)

    async def decode_body(self, body: Upload, decode: Callable[[bytes], T]) -> T:
        """Call ``decode`` with the body's bytes, then clear the body.

        The bytes are joined only once a thread is free; until then the body keeps its share of the
        upload budget, so that the decoded image fits.
        """
        decoded = await self.run(body.size, lambda: decode(b"".join(body.blocks)))
        body.clear()
        return decoded
