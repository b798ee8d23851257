"""Answers Label Studio's tasks: several at once, each of which fails for itself."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from starlette.requests import Request

from gateway.batch import AT_ONCE
from gateway.catalogue import Catalogue
from gateway.errors import GatewayError, ModelUnavailableError, NotFoundError
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
    version_name,
    without_image,
)
from gateway.settings import MIB
from gateway.torchserve import Target
from gateway.wishes import Wish

_MAX_PROJECT_BYTES: Final = MIB

Image = Buffer | GatewayError


@contextmanager
def _default_may_change(version: str | None) -> Iterator[None]:
    """A default version that is removed meanwhile is no fault of a client that named none."""
    try:
        yield
    except NotFoundError as exc:
        if version is not None:
            raise
        raise ModelUnavailableError("The default version is being replaced.") from exc


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
        with self._memory.buffer() as body:
            await self._receive(request, _MAX_PROJECT_BYTES, body)
            check_project(body.take_out())

    async def predictions(
        self, request: Request, version: str | None
    ) -> tuple[Target, Predictions]:
        """Who answers, and an answer for each task of a request; version: None is the default one.

        Raises what is wrong with the whole of it, or with the service: who asks may ask again.
        """
        self._pipeline.refuse_if_full()
        with ExitStack() as stack:
            config, images = await self._read(request, stack)
            # Not before: while the tasks arrive, another version may become the default one.
            target = Target(
                self._catalogue.model, version or await self._catalogue.default_version()
            )
            client, name = client_of(request), version_name(target)
            wish = Wish(version=target.version, render="labels", facts=True)
            work = _Work(self._pipeline, self._offload, client, wish, config, name)
            with _default_may_change(version):
                await self._pipeline.check(wish)
                results = await work.all(images)
            return target, Predictions(results=results, model_version=name)

    async def _receive(self, request: Request, max_bytes: int, body: Buffer) -> None:
        async with self._pipeline.upload(body):
            await receive(request, max_bytes, body)

    async def _read(self, request: Request, stack: ExitStack) -> tuple[LabelConfig, list[Image]]:
        limit = self._pipeline.max_image_bytes
        with self._memory.buffer() as body:
            await self._receive(request, self._memory.max_bytes, body)
            tasks: Tasks = await self._offload.unpack(body, lambda each: read_tasks(each, limit))
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
