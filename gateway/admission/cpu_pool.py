"""Work on many pixels, done in a thread so that it holds up nobody else's request."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from gateway.admission.upload_budget import Buffer
from gateway.masks.grey_png import size_of
from gateway.segmentation.prediction import Found, trusting

T = TypeVar("T")

# Less than that takes about as long as to hand it to a thread and back.
_INLINE_PIXELS: Final = 1_000_000
# Each may need ten bytes for a pixel.
_AT_ONCE: Final = 2


class Offload:
    """At most a few threads at once, and none for what is quickly done."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def read(self, found: Found, work: Callable[[], T], effort: int = 1) -> T:
        """What the work makes of a model's mask; effort: how often it goes through its pixels.

        Raises ModelUnavailableError if the model sent no mask.
        """
        with trusting(found):
            width, height = size_of(found.prediction.png)
            return await self.run(width * height * effort, work)

    async def unpack(self, body: Buffer, work: Callable[[bytes], T]) -> T:
        """What the work makes of a body, which is let go afterwards.

        Until then the body keeps its share of the budget, so that there is room for what was in
        it; a copy of it is made by those only whose turn has come.
        """
        found = await self.run(body.size, lambda: work(b"".join(body.blocks)))
        body.clear()
        return found

    async def run(self, pixels: int, work: Callable[[], T]) -> T:
        """What the work gives; pixels: how many it goes through."""
        if pixels <= _INLINE_PIXELS:
            return work()
        async with self._turns:
            return await asyncio.to_thread(work)
