"""Predictions for Label Studio's tasks: several at once; a bad image fails only its own task."""

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
from gateway.models.catalogue import Catalogue
from gateway.protocols.label_studio.fetching import Fetching
from gateway.protocols.label_studio.images import Images
from gateway.protocols.label_studio.label_config import LabelConfig
from gateway.protocols.label_studio.messages import (
    ImagePath,
    TaskImage,
    Tasks,
    check_project,
    document,
    failed_prediction,
    read_tasks,
    to_label_studio,
    version_name,
)
from gateway.segmentation.batch import AT_ONCE
from gateway.segmentation.options import SegmentationOptions
from gateway.segmentation.pipeline import Pipeline
from gateway.segmentation.prediction import Prediction
from gateway.segmentation.results import encode_result
from gateway.torchserve.inference import Target
from gateway.traffic.client import Client, client_of

_MAX_PROJECT_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class _Task:
    """A task: an upload with its image, later with its prediction.

    image: None if the upload has it, otherwise its path or its error.
    """

    upload: Upload
    image: ImagePath | GatewayError | None


class Annotator:
    """A service that predicts Label Studio's tasks."""

    def __init__(
        self,
        pipeline: Pipeline,
        catalogue: Catalogue,
        budget: UploadBudget,
        pool: CpuPool,
        images: Images | None,
    ) -> None:
        """Create the service. images: the server from which images are fetched, if there is one."""
        self._images = images
        self._pipeline = pipeline
        self._catalogue = catalogue
        self._budget = budget
        self._pool = pool

    def target(self, version: str | None) -> Target:
        """Return a version or alias, or the stable one for None; raises NotFoundError."""
        return Target(self._catalogue.model, self._catalogue.named(version))

    async def check_project(self, request: Request) -> None:
        """Raise InvalidRequestError if a project's labelling configuration cannot be served."""
        with self._budget.upload() as body:
            await self._receive(request, _MAX_PROJECT_BYTES, body)
            check_project(body.take_out())

    async def predictions(self, request: Request, version: str | None) -> tuple[Target, bytes]:
        """Return the version that responded, and `LabelStudioPredictions` in JSON.

        version: None means the default version. Raises GatewayError for errors of the whole request
        and of the service; after the latter the client may retry.
        """
        self._pipeline.refuse_if_full()
        with ExitStack() as stack:
            config, tasks = await self._read(request, stack)
            # Only now: the default version may change while the tasks arrive.
            client = client_of(request)
            resolved = self._catalogue.resolve(version, client.identity)
            target = Target(self._catalogue.model, resolved)
            options = SegmentationOptions(version=target.version, render="labels", facts=True)
            version_shown = version_name(target)
            fetching = self._fetching()
            run = _Run(self._pipeline, self._pool, client, options, config, version_shown, fetching)
            self._pipeline.check(options, client)
            await run.predict_all(tasks)
            predictions = (task.upload.take_out() for task in tasks)
            return target, document(predictions, version_shown)

    def _fetching(self) -> Fetching | None:
        if self._images is None:
            return None
        return Fetching(self._images, self._pipeline, self._budget)

    async def _receive(self, request: Request, max_bytes: int, body: Upload) -> None:
        async with self._pipeline.receiving(body):
            await read_json_body(request, max_bytes, body)

    async def _read(self, request: Request, stack: ExitStack) -> tuple[LabelConfig, list[_Task]]:
        with self._budget.upload() as body:
            await self._receive(request, self._budget.max_bytes, body)
            origin = None if self._images is None else self._images.origin
            limit = self._pipeline.max_image_bytes
            decode = partial(read_tasks, max_image_bytes=limit, origin=origin)
            message: Tasks = await self._pool.decode_body(body, decode)
        return message.config, [self._to_task(image, stack) for image in message.images]

    def _to_task(self, image: TaskImage, stack: ExitStack) -> _Task:
        upload = stack.enter_context(self._budget.upload())
        if not isinstance(image, bytes):
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
        fetching: Fetching | None,
    ) -> None:
        self._pipeline = pipeline
        self._pool = pool
        self._client = client
        self._options = options
        self._config = config
        self._version = version
        self._fetching = fetching
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def predict_all(self, tasks: list[_Task]) -> None:
        """Replace images by predictions; a failure of the service cancels all other tasks."""
        subtasks = [asyncio.create_task(self._one(task)) for task in tasks]
        try:
            await asyncio.gather(*subtasks)
        finally:
            for task in subtasks:
                task.cancel()
            await asyncio.gather(*subtasks, return_exceptions=True)

    async def _one(self, task: _Task) -> None:
        try:
            if isinstance(task.image, GatewayError):
                raise task.image
            async with self._slots:
                prediction = await self._receive_and_predict(task)
        except GatewayError as exc:
            # Errors of the version or the service affect the whole request.
            if exc.status >= 500 or isinstance(exc, NotFoundError):
                raise
            prediction = failed_prediction(exc, self._version).model_dump_json().encode()
        _replace(task.upload, prediction)

    async def _receive_and_predict(self, task: _Task) -> bytes:
        if await self._client.is_gone():  # Label Studio's timeout may pass during many tasks
            raise ClientDisconnect
        if not isinstance(task.image, ImagePath) or self._fetching is None:
            return await self._predict(task.upload)
        async with self._fetching.image(task.image.path) as image:
            return await self._predict(image)

    async def _predict(self, image: Upload) -> bytes:
        clock = self._pipeline.clock()
        prediction = await self._pipeline.predict(self._client, image, self._options, clock)
        image.clear()
        encode = partial(_encode, prediction, self._config)
        return await encode_result(self._pool, prediction, clock, encode)


def _encode(prediction: Prediction, config: LabelConfig) -> bytes:
    return to_label_studio(prediction, config).model_dump_json().encode()


def _replace(upload: Upload, prediction: bytes) -> None:
    """Replace the image in an upload by its prediction; raises OverloadedError."""
    # The strokes may take more bytes than a small image.
    upload.clear()
    try:
        upload.fill(prediction)
    except OverloadedError as exc:
        raise OverloadedError(
            "The answers need more memory than is left. Send fewer tasks at once."
        ) from exc
