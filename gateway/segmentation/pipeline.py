"""READ THIS FIRST: the stages of an image in the gateway: admit -> receive -> predict.

A route calls these stages in order, then encodes the prediction: as a colour map, as JSON, or in
the protocol of another program.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from gateway.admission.slots import Admission
from gateway.admission.upload_budget import Upload, UploadBudget
from gateway.errors import (
    DeadlineExceededError,
    GatewayError,
    JobLostError,
    NotFoundError,
    NoWorkerFreeError,
)
from gateway.http.json_body import base64_limit, read_json_body
from gateway.http.uploads import read_image
from gateway.models.catalogue import Catalogue, default_may_change
from gateway.models.headers import model_headers
from gateway.segmentation.batch import Batch, Item
from gateway.segmentation.options import SegmentationOptions, to_handler_json
from gateway.segmentation.prediction import Prediction
from gateway.settings import Settings
from gateway.telemetry.stages import StageClock, Stages
from gateway.torchserve.inference import InferenceClient, PredictRequest, PredictResponse, Target

# Seconds in the queue after which the gateway checks whether the client has disconnected.
_LONG_WAIT_S = 0.1


@dataclass(frozen=True)
class Client:
    """The sender of a request.

    is_gone: whether it disconnected; only valid after its whole request was received.
    """

    request_id: str
    is_gone: Callable[[], Awaitable[bool]]


def client_of(request: Request) -> Client:
    """Return the sender of a request."""
    return Client(request.state.request_id, request.is_disconnected)


@dataclass(slots=True)
class _Job:
    """An image to predict. expires: on the monotonic clock. was_admitted: it had a slot."""

    client: Client
    image: Upload
    options: SegmentationOptions
    clock: StageClock
    expires: float
    was_admitted: bool = False


def _too_slow(limit_s: float) -> DeadlineExceededError:
    return DeadlineExceededError(f"The upload took longer than {limit_s:g} seconds.")


class Pipeline:
    """The stages of an image in the gateway."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        inference: InferenceClient,
        admission: Admission,
        budget: UploadBudget,
        stages: Stages,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._inference = inference
        self._admission = admission
        self._budget = budget
        self._stages = stages

    @property
    def max_image_bytes(self) -> int:
        """The largest upload in bytes."""
        return self._settings.max_image_bytes

    def clock(self) -> StageClock:
        """Return a stopwatch for the stages of an image, started now."""
        return self._stages.clock()

    def count_error(self, error: GatewayError) -> None:
        """Count an error that is reported inside a response of status 200."""
        self._stages.metrics.failed(error.code)

    # Admit

    def refuse_if_full(self) -> None:
        """Raise OverloadedError while the queue is full; checked before an upload is read."""
        self._admission.refuse_if_full()

    async def check(self, options: SegmentationOptions) -> None:
        """Raise the error that every image would fail with: an unknown model, version or class."""
        self._catalogue.check_model(options.model)
        version = await self._catalogue.resolve(options.version)
        to_handler_json(options, await self._catalogue.labels(version))

    # Receive

    def upload(self) -> Upload:
        """An empty upload for one image; raises OverloadedError while the queue is full."""
        self.refuse_if_full()
        return self._budget.upload()

    @asynccontextmanager
    async def receiving(self, upload: Upload) -> AsyncIterator[None]:
        """The block in which an upload is read, within its deadline."""
        limit = self._settings.upload_deadline_s
        try:
            async with asyncio.timeout(limit):
                with upload.receiving():
                    yield
        except TimeoutError as exc:
            raise _too_slow(limit) from exc

    async def receive_body(self, request: Request, upload: Upload) -> None:
        """Read a body with parameters and an image, raw or in base64."""
        async with self.receiving(upload):
            await read_json_body(request, base64_limit(self.max_image_bytes), upload)

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        """An empty batch; the end of the block cancels the tasks that still run."""
        self.refuse_if_full()
        batch = Batch(self._budget, self._settings.max_image_bytes)
        try:
            yield batch
        finally:
            await batch.close()

    @asynccontextmanager
    async def receiving_batch(
        self, request: Request, batch: Batch
    ) -> AsyncIterator[AsyncIterator[Item]]:
        """The block in which a batch is read, within its deadline; yields its files."""
        limit = self._settings.batch_deadline_s
        try:
            async with asyncio.timeout(limit):
                yield batch.read(request, self._settings.max_batch_bytes)
        except TimeoutError as exc:
            raise _too_slow(limit) from exc

    # Predict

    async def segment(
        self,
        request: Request,
        options: SegmentationOptions,
        clock: StageClock,
        *,
        raw: bool = False,
    ) -> Prediction:
        """Receive the one image of a request and predict it.

        raw: whether a body that is not a form is the image itself. Raises GatewayError or
        ClientDisconnect.
        """
        with self.upload() as image:
            with clock.stage("read"):
                async with self.receiving(image):
                    await read_image(request, self.max_image_bytes, image, raw=raw)
            return await self.predict(client_of(request), image, options, clock)

    async def predict(
        self, client: Client, image: Upload, options: SegmentationOptions, clock: StageClock
    ) -> Prediction:
        """Predict a received image; raises GatewayError or ClientDisconnect."""
        self._catalogue.check_model(options.model)
        limit = self._settings.deadline_s
        job = _Job(client, image, options, clock, time.monotonic() + limit)
        try:
            async with asyncio.timeout(limit):
                target, labels, response = await self._send(job)
        except TimeoutError as exc:
            detail = f"No answer after {limit:g} seconds. Try again later."
            raise DeadlineExceededError(detail) from exc
        clock.answered(target.model, target.version, response)
        return Prediction(target, response, labels, clock.seconds)

    async def _send(self, job: _Job) -> tuple[Target, Mapping[int, str], PredictResponse]:
        """Send a job to the version in its options, or to the default version.

        A job without a version is sent again, once, if a command took the version or its worker.
        """
        named = job.options.version
        version = await self._catalogue.resolve(named)
        known = self._catalogue.known
        try:
            return await self._send_once(job, version)
        except NotFoundError as exc:
            if named is not None:
                raise await self._catalogue.unknown(named) from exc
            # The default version was removed after its name was read: there is a new one now.
            await self._catalogue.read_anew()
        except JobLostError as exc:
            # Not after a crash: an image that crashes one worker would crash a second one.
            if named is not None or not await self._catalogue.is_withdrawn(version, known):
                raise await self._reported(exc, version) from exc
        with default_may_change(named):
            return await self._send_once(job, await self._catalogue.resolve(named))

    async def _reported(self, lost: JobLostError, version: str) -> GatewayError:
        """Return the error for a job that was not computed."""
        if not isinstance(lost, NoWorkerFreeError):
            return lost
        refusal = await self._catalogue.refusal(version)
        refusal.headers.update(lost.headers)
        return refusal

    async def _send_once(
        self, job: _Job, version: str
    ) -> tuple[Target, Mapping[int, str], PredictResponse]:
        options = job.options
        target = Target(self._catalogue.model, version)
        labels = await self._catalogue.labels(target.version) if options.needs_labels else {}
        handler_json = to_handler_json(options, labels)
        request = PredictRequest(job.client.request_id, handler_json, job.expires)
        return target, labels, await self._infer(job, target, request)

    async def _infer(self, job: _Job, target: Target, request: PredictRequest) -> PredictResponse:
        """Wait for a slot at TorchServe and use it; errors carry the target in their headers."""
        try:
            async with self._admission.slot(was_admitted=job.was_admitted) as waited_s:
                job.was_admitted = True
                if waited_s > _LONG_WAIT_S and await job.client.is_gone():
                    raise ClientDisconnect
                job.clock.record("queue", waited_s)
                with job.clock.stage("infer"):
                    return await self._inference.predict(target, job.image, request)
        except GatewayError as error:
            error.headers.update(model_headers(target.model, target.version))
            raise
