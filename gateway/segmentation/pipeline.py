"""READ THIS FIRST: what happens to an image: check -> read -> route -> predict -> answer.

What the answer looks like (a colour map, a document, another protocol's words) is made of what
`Pipeline.predict` finds, by the modules that the routes choose.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request

from gateway.admission.slots import Admission
from gateway.admission.upload_budget import Buffer, Memory
from gateway.errors import (
    DeadlineExceededError,
    GatewayError,
    NotFoundError,
    NoWorkerFreeError,
)
from gateway.models.catalogue import Catalogue, default_may_change
from gateway.models.headers import model_headers
from gateway.segmentation.batch import Batch, Work
from gateway.segmentation.options import Wish, form_of
from gateway.segmentation.prediction import Found
from gateway.settings import Settings
from gateway.telemetry.stages import StageClock, Stages
from gateway.torchserve.inference import Prediction, Question, Target, TorchServe

Reader = Callable[[Buffer], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Client:
    """Who waits for an answer.

    is_gone: whether nobody does any more; asked only after the whole request was read.
    """

    request_id: str
    is_gone: Callable[[], Awaitable[bool]]


def client_of(request: Request) -> Client:
    """Who sent a request."""
    return Client(request.state.request_id, request.is_disconnected)


@asynccontextmanager
async def _deadline(seconds: float, detail: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as exc:
        raise DeadlineExceededError(detail) from exc


class Pipeline:
    """The way of one image through the gateway."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        torchserve: TorchServe,
        admission: Admission,
        memory: Memory,
        stages: Stages,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._torchserve = torchserve
        self._admission = admission
        self._memory = memory
        self._stages = stages

    @property
    def max_image_bytes(self) -> int:
        """Of one upload."""
        return self._settings.max_image_bytes

    def clock(self) -> StageClock:
        """For an image whose stages begin now."""
        return self._stages.clock()

    @asynccontextmanager
    async def batch(self, request: Request, work: Work) -> AsyncIterator[Batch]:
        """All images of a request, read and on their way; nothing of them is left afterwards."""
        self.refuse_if_full()
        found = Batch(self._memory, self._settings.max_image_bytes, work)
        limit = self._settings.batch_deadline_s
        try:
            async with _deadline(limit, f"The upload took longer than {limit:g} seconds."):
                await found.read(request, self._settings.max_batch_bytes)
            yield found
        finally:
            await found.close()

    async def segment(
        self, request: Request, wish: Wish, read: Reader, unpack: Reader | None = None
    ) -> Found:
        """The model's answer to the image that ``read`` finds in a request.

        unpack: where what was read holds the image within something else, leaves it alone there;
        who waits for a turn to do so is no slow upload.

        Raises GatewayError or ClientDisconnect.
        """
        clock = self._stages.clock()
        self.refuse_if_full()
        with self._memory.buffer() as image:
            with clock.stage("read"):
                async with self.upload(image):
                    await read(image)
                if unpack is not None:
                    await unpack(image)
            found = await self.predict(client_of(request), image, wish, clock)
        request.state.target = found.target
        return found

    async def check(self, wish: Wish) -> None:
        """Raises now what every image would fail with: an unknown model, version or class."""
        self._catalogue.check_model(wish.model)
        version = await self._catalogue.chosen(wish.version)
        form_of(wish, await self._catalogue.labels(version))

    def failed(self, error: GatewayError) -> None:
        """Counts a failure that is told within an answer, where nobody else sees it."""
        self._stages.metrics.failed(error.code)

    def refuse_if_full(self) -> None:
        """Raises OverloadedError while nobody else could wait: asked before an upload is read."""
        self._admission.refuse_if_full()

    @asynccontextmanager
    async def upload(self, into: Buffer) -> AsyncIterator[None]:
        """The time in which an upload is read into a buffer."""
        limit = self._settings.upload_deadline_s
        async with _deadline(limit, f"The upload took longer than {limit:g} seconds."):
            with into.arriving():
                yield

    async def predict(self, client: Client, image: Buffer, wish: Wish, clock: StageClock) -> Found:
        """The model's answer to an image that has been read."""
        self._catalogue.check_model(wish.model)
        limit = self._settings.deadline_s
        expires = time.time() + limit
        async with _deadline(limit, f"No answer after {limit:g} seconds. Try again later."):
            target, labels, prediction = await self._ask(client, image, wish, expires, clock)
        clock.answered(target, prediction)
        return Found(target, prediction, labels, clock.seconds, clock)

    async def _ask(
        self, client: Client, image: Buffer, wish: Wish, expires: float, clock: StageClock
    ) -> tuple[Target, Mapping[int, str], Prediction]:
        """The prediction of the version that was asked for, or of the default one."""
        try:
            return await self._ask_once(client, image, wish, expires, clock)
        except NotFoundError as exc:
            if wish.version is not None:
                raise await self._catalogue.unknown(wish.version) from exc
        # The default version was removed after we learnt its name: there is another one now.
        await self._catalogue.refresh()
        with default_may_change(wish.version):
            return await self._ask_once(client, image, wish, expires, clock)

    async def _ask_once(
        self, client: Client, image: Buffer, wish: Wish, expires: float, clock: StageClock
    ) -> tuple[Target, Mapping[int, str], Prediction]:
        target = Target(self._catalogue.model, await self._catalogue.chosen(wish.version))
        labels = await self._catalogue.labels(target.version) if wish.needs_labels else {}
        question = Question(client.request_id, form_of(wish, labels), expires)
        return target, labels, await self._predict(client, image, target, question, clock)

    async def _predict(
        self, client: Client, image: Buffer, target: Target, question: Question, clock: StageClock
    ) -> Prediction:
        try:
            async with self._admission.turn() as waited_s:
                if waited_s > 0.1 and await client.is_gone():
                    raise ClientDisconnect
                clock.took("queue", waited_s)
                with clock.stage("infer"):
                    return await self._torchserve.predict(target, image, question)
        except NoWorkerFreeError as exc:
            refusal = await self._catalogue.refusal(target.version)
            refusal.headers.update(model_headers(target.model, target.version))
            raise refusal from exc
        except GatewayError as error:
            error.headers.update(model_headers(target.model, target.version))
            raise
