"""Answers Label Studio's tasks: several at once, each of which fails for itself."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect, Request

from gateway.admission.cpu_pool import Offload
from gateway.admission.upload_budget import Buffer, Memory
from gateway.errors import GatewayError, NotFoundError, OverloadedError
from gateway.http.json_body import receive
from gateway.models.catalogue import Catalogue, default_may_change
from gateway.protocols.label_studio.label_config import LabelConfig
from gateway.protocols.label_studio.messages import (
    Tasks,
    check_project,
    document,
    prediction,
    read_tasks,
    version_name,
    without_image,
)
from gateway.segmentation.batch import AT_ONCE
from gateway.segmentation.options import Wish
from gateway.segmentation.pipeline import Client, Pipeline, client_of
from gateway.segmentation.prediction import Found
from gateway.torchserve.inference import Target

_MAX_PROJECT_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class _Task:
    """Room for a task's image and later for its answer, and why there is no image."""

    room: Buffer
    error: GatewayError | None


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
        chosen = await self._catalogue.chosen(version)
        await self._catalogue.find(chosen)
        return Target(self._catalogue.model, chosen)

    async def check_project(self, request: Request) -> None:
        """Raises InvalidRequestError if a project's labelling configuration cannot be served."""
        with self._memory.buffer() as body:
            await self._receive(request, _MAX_PROJECT_BYTES, body)
            check_project(body.take_out())

    async def predictions(self, request: Request, version: str | None) -> tuple[Target, bytes]:
        """Who answers, and `Predictions` in JSON; version: None is the default one.

        Raises what is wrong with the whole of it, or with the service: who asks may ask again.
        """
        self._pipeline.refuse_if_full()
        with ExitStack() as stack:
            config, tasks = await self._read(request, stack)
            # Not before: while the tasks arrive, another version may become the default one.
            target = Target(self._catalogue.model, await self._catalogue.chosen(version))
            client, name = client_of(request), version_name(target)
            wish = Wish(version=target.version, render="labels", facts=True)
            work = _Work(self._pipeline, self._offload, client, wish, config, name)
            with default_may_change(version):
                await self._pipeline.check(wish)
                await work.all(tasks)
            return target, document((each.room.take_out() for each in tasks), name)

    async def _receive(self, request: Request, max_bytes: int, body: Buffer) -> None:
        async with self._pipeline.upload(body):
            await receive(request, max_bytes, body)

    async def _read(self, request: Request, stack: ExitStack) -> tuple[LabelConfig, list[_Task]]:
        limit = self._pipeline.max_image_bytes
        with self._memory.buffer() as body:
            await self._receive(request, self._memory.max_bytes, body)
            sent: Tasks = await self._offload.unpack(body, lambda each: read_tasks(each, limit))
        return sent.config, [self._kept(image, stack) for image in sent.images]

    def _kept(self, image: bytes | GatewayError, stack: ExitStack) -> _Task:
        room = stack.enter_context(self._memory.buffer())
        if isinstance(image, GatewayError):
            return _Task(room, image)
        room.fill(image)
        return _Task(room, None)


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

    async def all(self, tasks: list[_Task]) -> None:
        """Puts answers in the images' places; the first failure of the service ends the others."""
        running = [asyncio.create_task(self._one(task)) for task in tasks]
        try:
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _one(self, task: _Task) -> None:
        try:
            if task.error is not None:
                raise task.error
            async with self._turns:
                answer = await self._predict(task.room)
        except GatewayError as exc:
            # What is wrong with the version or the service is no property of this image.
            if exc.status >= 500 or isinstance(exc, NotFoundError):
                raise
            answer = without_image(exc, self._version).model_dump_json().encode()
        _keep(answer, task.room)

    async def _predict(self, image: Buffer) -> bytes:
        if await self._client.is_gone():  # many tasks take longer than a client may wait
            raise ClientDisconnect
        found = await self._pipeline.predict(
            self._client, image, self._wish, self._pipeline.clock()
        )
        image.clear()
        return await self._offload.read(found, lambda: self._in_json(found))

    def _in_json(self, found: Found) -> bytes:
        return prediction(found, self._config).model_dump_json().encode()


def _keep(answer: bytes, room: Buffer) -> None:
    """In the place of the image: strokes around small things are longer than a small file."""
    room.clear()
    try:
        room.fill(answer)
    except OverloadedError as exc:
        raise OverloadedError(
            "The answers need more memory than is left. Send fewer tasks at once."
        ) from exc
