"""READ THIS FIRST: the stages of an image in the gateway: admit -> receive -> predict.

A route calls these stages in order, then encodes the prediction: as a colour map, as JSON, or in
the protocol of another program.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request

from gateway.admission.slots import Admission
from gateway.admission.upload_budget import Upload, UploadBudget
from gateway.errors import (
    DeadlineExceededError,
    GatewayError,
    JobLostError,
    NoWorkerFreeError,
)
from gateway.http.json_body import base64_limit, read_json_body
from gateway.http.uploads import read_image
from gateway.models.catalogue import Catalogue
from gateway.models.headers import model_headers
from gateway.segmentation.batch import Batch, Item
from gateway.segmentation.options import SegmentationOptions, to_handler_json
from gateway.segmentation.prediction import Job, Prediction
from gateway.segmentation.shadow.offering import Offering
from gateway.settings import Settings
from gateway.telemetry.stages import StageClock, Stages
from gateway.torchserve.inference import PredictRequest, PredictResponse, Target
from gateway.traffic.client import Client, client_of
from gateway.traffic.dispatch import Dispatcher
from gateway.traffic.trial import Trial

# Seconds in the queue after which the gateway checks whether the client has disconnected.
_LONG_WAIT_S = 0.1


def _too_slow(limit_s: float) -> DeadlineExceededError:
    return DeadlineExceededError(f"The upload took longer than {limit_s:g} seconds.")


class Pipeline:
    """The stages of an image in the gateway."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        dispatcher: Dispatcher,
        admission: Admission,
        budget: UploadBudget,
        stages: Stages,
        trial: Trial,
        offering: Offering,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._dispatcher = dispatcher
        self._admission = admission
        self._budget = budget
        self._stages = stages
        self._trial = trial
        self._offering = offering

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

    def check(self, options: SegmentationOptions, client: Client) -> None:
        """Raise the error that every image would fail with: an unknown model, version or class."""
        self._catalogue.check_model(options.model)
        version = self._catalogue.resolve(options.version, client.identity)
        to_handler_json(options, self._catalogue.labels(version))

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
            client = client_of(request)
            prediction = await self.predict(client, image, options, clock)
            self._offering.offer(request.scope, client.request_id, image, options, prediction)
            return prediction

    async def predict(
        self, client: Client, image: Upload, options: SegmentationOptions, clock: StageClock
    ) -> Prediction:
        """Predict a received image; raises GatewayError or ClientDisconnect."""
        self._catalogue.check_model(options.model)
        limit = self._settings.deadline_s
        job = Job(client, image, options, clock, self._trial, time.monotonic() + limit)
        try:
            async with asyncio.timeout(limit):
                target, labels, response = await self._send(job)
        except TimeoutError as exc:
            error = DeadlineExceededError(f"No answer after {limit:g} seconds. Try again later.")
            job.overdue(error, limit)
            raise error from exc
        except GatewayError as error:
            job.failed(error)
            raise
        job.answered(response)
        clock.answered(target.model, target.version, response)
        return Prediction(target, response, labels, clock.seconds)

    async def _send(self, job: Job) -> tuple[Target, Mapping[int, str], PredictResponse]:
        """Send a job to the version in its options, or to the one of the traffic policy.

        It is sent again, once, if a command took the version or its worker; under a name, only if
        that is an alias which names another version now.
        """
        named, identity = job.options.version, job.client.identity
        version = self._catalogue.resolve(named, identity)
        workers = self._catalogue.wanted(version)
        try:
            return await self._send_once(job, version)
        except JobLostError as exc:
            # Not after a crash: an image that crashes one worker would crash a second one.
            again = await self._catalogue.resolve_again(named, identity, version, workers, exc)
            if again is None:
                raise self._reported(exc, version) from exc
        job.target = None
        return await self._send_once(job, again)

    def _reported(self, lost: JobLostError, version: str) -> GatewayError:
        """Return the error for a job that was not computed."""
        if not isinstance(lost, NoWorkerFreeError):
            return lost
        refusal = self._catalogue.refusal(version)
        refusal.headers.update(lost.headers)
        return refusal

    async def _send_once(
        self, job: Job, version: str
    ) -> tuple[Target, Mapping[int, str], PredictResponse]:
        options = job.options
        target = Target(self._catalogue.model, version)
        labels = self._catalogue.labels(target.version) if options.needs_labels else {}
        handler_json = to_handler_json(options, labels)
        request = PredictRequest(job.client.request_id, handler_json, job.expires)
        return target, labels, await self._infer(job, target, request)

    async def _infer(self, job: Job, target: Target, request: PredictRequest) -> PredictResponse:
        """Wait for a slot at TorchServe and use it; errors carry the target in their headers."""
        try:
            async with self._admission.slot(was_admitted=job.was_admitted) as waited_s:
                job.was_admitted = True
                if waited_s > _LONG_WAIT_S and await job.client.is_gone():
                    raise ClientDisconnect
                job.clock.record("queue", waited_s)
                job.target, job.sent = target, time.monotonic()
                with job.clock.stage("infer"):
                    return await self._dispatcher.predict(target, job.image, request)
        except GatewayError as error:
            job.clock.failed(target.model, target.version, error.code)
            error.headers.update(model_headers(target.model, target.version))
            raise
