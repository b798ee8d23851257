"""Predictions for Label Studio's tasks: several at once, each of which fails alone."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.requests import ClientDisconnect, Request

from gateway.admission.cpu_pool import CpuPool
from gateway.admission.upload_budget import Upload, UploadBudget
from gateway.errors import GatewayError, NotFoundError, OverloadedError
from gateway.http.json_body import read_json_body
from gateway.models.catalogue import Catalogue, default_may_change
from gateway.protocols.label_studio.label_config import LabelConfig
from gateway.protocols.label_studio.messages import (
    Tasks,
    check_project,
    document,
    read_tasks,
    to_label_studio,
    version_name,
    without_image,
)
from gateway.segmentation.batch import AT_ONCE
from gateway.segmentation.options import SegmentationOptions
from gateway.segmentation.pipeline import Client, Pipeline, client_of
from gateway.segmentation.prediction import Prediction
from gateway.segmentation.results import encode_result
from gateway.torchserve.inference import Target

_MAX_PROJECT_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class _Task:
    """A task's image, later replaced by its prediction; or why there is no image."""

    upload: Upload
    error: GatewayError | None


class Annotator:
    """Makes brush strokes of the model's masks."""

    def __init__(
        self, pipeline: Pipeline, catalogue: Catalogue, budget: UploadBudget, pool: CpuPool
    ) -> None:
        self._pipeline = pipeline
        self._catalogue = catalogue
        self._budget = budget
        self._pool = pool

    async def target(self, version: str | None) -> Target:
        """A version, or the default one; raises NotFoundError."""
        chosen = await self._catalogue.chosen(version)
        await self._catalogue.find(chosen)
        return Target(self._catalogue.model, chosen)

    async def check_project(self, request: Request) -> None:
        """Raise InvalidRequestError if a project's labelling configuration cannot be served."""
        with self._budget.upload() as body:
            await self._receive(request, _MAX_PROJECT_BYTES, body)
            check_project(body.take_out())

    async def predictions(self, request: Request, version: str | None) -> tuple[Target, bytes]:
        """The version that answered, and `LabelStudioPredictions` in JSON.

        version: None is the default one. Raises what is wrong with the request as a whole, or with
        the service: then the client may send it again.
        """
        self._pipeline.refuse_if_full()
        with ExitStack() as stack:
            config, tasks = await self._read(request, stack)
            # Not before: while the tasks arrive, another version may become the default one.
            target = Target(self._catalogue.model, await self._catalogue.chosen(version))
            options = SegmentationOptions(version=target.version, render="labels", facts=True)
            client, version_shown = client_of(request), version_name(target)
            run = _Run(self._pipeline, self._pool, client, options, config, version_shown)
            with default_may_change(version):
                await self._pipeline.check(options)
                await run.predict_all(tasks)
            answers = (task.upload.take_out() for task in tasks)
            return target, document(answers, version_shown)

    async def _receive(self, request: Request, max_bytes: int, body: Upload) -> None:
        async with self._pipeline.receiving(body):
            await read_json_body(request, max_bytes, body)

    async def _read(self, request: Request, stack: ExitStack) -> tuple[LabelConfig, list[_Task]]:
        with self._budget.upload() as body:
            await self._receive(request, self._budget.max_bytes, body)
            decode = partial(read_tasks, max_image_bytes=self._pipeline.max_image_bytes)
            sent: Tasks = await self._pool.decode_body(body, decode)
        return sent.config, [self._kept(image, stack) for image in sent.images]

    def _kept(self, image: bytes | GatewayError, stack: ExitStack) -> _Task:
        upload = stack.enter_context(self._budget.upload())
        if isinstance(image, GatewayError):
            return _Task(upload, image)
        upload.fill(image)
        return _Task(upload, None)


class _Run:
    """The tasks of one request."""

    def __init__(
        self,
        pipeline: Pipeline,
        pool: CpuPool,
        client: Client,
        options: SegmentationOptions,
        config: LabelConfig,
        version: str,
    ) -> None:
        self._pipeline = pipeline
        self._pool = pool
        self._client = client
        self._options = options
        self._config = config
        self._version = version
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def predict_all(self, tasks: list[_Task]) -> None:
        """Replace images by predictions; the first failure of the service cancels the others."""
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
            async with self._slots:
                answer = await self._predict(task.upload)
        except GatewayError as exc:
            # What is wrong with the version or the service is no property of this image.
            if exc.status >= 500 or isinstance(exc, NotFoundError):
                raise
            answer = without_image(exc, self._version).model_dump_json().encode()
        _replace(task.upload, answer)

    async def _predict(self, image: Upload) -> bytes:
        if await self._client.is_gone():  # many tasks take longer than a client may wait
            raise ClientDisconnect
        clock = self._pipeline.clock()
        prediction = await self._pipeline.predict(self._client, image, self._options, clock)
        image.clear()
        encode = partial(_encode, prediction, self._config)
        return await encode_result(self._pool, prediction, clock, encode)


def _encode(prediction: Prediction, config: LabelConfig) -> bytes:
    return to_label_studio(prediction, config).model_dump_json().encode()


def _replace(upload: Upload, answer: bytes) -> None:
    """Put the answer in the image's place: strokes may take more bytes than a small file."""
    upload.clear()
    try:
        upload.fill(answer)
    except OverloadedError as exc:
        raise OverloadedError(
            "The answers need more memory than is left. Send fewer tasks at once."
        ) from exc
