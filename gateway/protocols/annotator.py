"""Answers Label Studio's tasks: several at once, each of which fails for itself."""

import asyncio
from contextlib import ExitStack
from typing import Final

from starlette.requests import Request

from gateway.batch import AT_ONCE
from gateway.catalogue import Catalogue
from gateway.errors import GatewayError, NotFoundError
from gateway.json_body import receive
from gateway.memory import Buffer, Memory
from gateway.offload import Offload
from gateway.pipeline import Client, Pipeline, client_of
from gateway.protocols.label_config import LabelConfig
from gateway.protocols.label_studio import (
    Prediction,
    Predictions,
    Tasks,
    check_project,
    prediction,
    read_tasks,
    without_image,
)
from gateway.settings import MIB
from gateway.torchserve import Target
from gateway.wishes import Wish

_MAX_PROJECT_BYTES: Final = MIB

Image = Buffer | GatewayError


class Annotator:
    """Finds what brushes would paint."""

    def __init__(
        self, pipeline: Pipeline, catalogue: Catalogue, memory: Memory, offload: Offload
    ) -> None:
        self._pipeline = pipeline
        self._catalogue = catalogue
        self._memory = memory
        self._offload = offload

    async def target(self, version: str | None) -> Target:
        """A version, or the default one; raises NotFoundError."""
        chosen = version or await self._catalogue.default_version()
        await self._catalogue.find(chosen)
        return Target(self._catalogue.model, chosen)

    async def check_project(self, request: Request) -> None:
        """Raises InvalidRequestError if a project's labelling configuration cannot be served."""
        check_project(await self._body(request, _MAX_PROJECT_BYTES))

    async def predictions(self, request: Request, wish: Wish, version: str) -> Predictions:
        """An answer for each task of a request; version: its name.

        Raises what is wrong with the whole of it, or with the service: who asks may ask again.
        """
        self._pipeline.refuse_if_full()
        with ExitStack() as stack:
            config, images = await self._read(request, stack)
            work = _Work(self._pipeline, self._offload, client_of(request), wish, config, version)
            return Predictions(results=await work.all(images), model_version=version)

    async def _body(self, request: Request, max_bytes: int) -> bytes:
        with self._memory.buffer() as buffer:
            async with self._pipeline.upload(buffer):
                await receive(request, max_bytes, buffer)
            return buffer.take_out()

    async def _read(self, request: Request, stack: ExitStack) -> tuple[LabelConfig, list[Image]]:
        body = await self._body(request, self._memory.max_bytes)
        limit = self._pipeline.max_image_bytes
        tasks: Tasks = await self._offload.run(len(body), lambda: read_tasks(body, limit))
        return tasks.config, [self._kept(image, stack) for image in tasks.images]

    def _kept(self, image: bytes | GatewayError, stack: ExitStack) -> Image:
        if isinstance(image, GatewayError):
            return image
        buffer = stack.enter_context(self._memory.buffer())
        buffer.fill(image)
        return buffer


class _Work:
    """The tasks of one request."""

    def __init__(
        self,
        pipeline: Pipeline,
        offload: Offload,
        client: Client,
        wish: Wish,
        config: LabelConfig,
        version: str,
    ) -> None:
        self._pipeline = pipeline
        self._offload = offload
        self._client = client
        self._wish = wish
        self._config = config
        self._version = version
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def all(self, images: list[Image]) -> list[Prediction]:
        """All answers in order; the first failure of the service ends the others."""
        running = [asyncio.create_task(self._one(image)) for image in images]
        try:
            return await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _one(self, image: Image) -> Prediction:
        try:
            if isinstance(image, GatewayError):
                raise image
            async with self._turns:
                return await self._predict(image)
        except GatewayError as exc:
            # What is wrong with the version or the service is no property of this image.
            if exc.status >= 500 or isinstance(exc, NotFoundError):
                raise
            return without_image(exc, self._version)

    async def _predict(self, image: Buffer) -> Prediction:
        found = await self._pipeline.predict(
            self._client, image, self._wish, self._pipeline.clock()
        )
        image.clear()
        return await self._offload.read(found, lambda: prediction(found, self._config))
