"""Images of one request, fetched within the upload budget and the upload deadline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from gateway.admission.upload_budget import Upload, UploadBudget
from gateway.errors import DeadlineExceededError, OverloadedError
from gateway.protocols.label_studio.images import Images
from gateway.segmentation.pipeline import Pipeline


class Fetching:
    """The images of one request; while they hold the budget, further ones wait."""

    def __init__(self, images: Images, pipeline: Pipeline, budget: UploadBudget) -> None:
        self._images = images
        self._pipeline = pipeline
        self._budget = budget
        self._active = 0
        self._released = asyncio.Event()
        self._waiting = asyncio.Lock()

    @asynccontextmanager
    async def image(self, path: str) -> AsyncIterator[Upload]:
        """The image of a path, in memory during the block; raises GatewayError."""
        upload = await self._fetch_in_turn(path)
        try:
            with upload:
                yield upload
        finally:
            self._release()

    async def _fetch_in_turn(self, path: str) -> Upload:
        """Fetch an image, again and again while others of this request hold the budget."""
        if not self._waiting.locked():
            with suppress(OverloadedError):
                return await self._fetch(path)
        async with self._waiting:  # one at a time: they would only take the budget from each other
            while self._active:
                self._released.clear()
                await self._released.wait()
                with suppress(OverloadedError):
                    return await self._fetch(path)
            # Nothing of this request is left to wait for, and nothing starts during the lock.
            return await self._fetch(path)

    async def _fetch(self, path: str) -> Upload:
        """Fetch an image, which counts as active from here on; after an error it does not."""
        upload = self._budget.upload()
        self._active += 1
        try:
            async with self._pipeline.receiving(upload):
                await self._images.fetch(path, upload, self._pipeline.max_image_bytes)
        except BaseException as exc:
            upload.clear()
            self._release()
            if isinstance(exc, DeadlineExceededError):
                raise DeadlineExceededError("Label Studio took too long to send an image.") from exc
            raise
        return upload

    def _release(self) -> None:
        self._active -= 1
        self._released.set()
