"""READ THIS FIRST: what happens to an image: check -> route -> predict -> colour -> answer."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from gateway.admission import Admission
from gateway.catalogue import Catalogue
from gateway.errors import (
    DeadlineExceededError,
    GatewayError,
    ModelUnavailableError,
    NotFoundError,
    NoWorkerFreeError,
)
from gateway.memory import Buffer, Memory
from gateway.palette import SEED
from gateway.rendering import NotAMaskError, colour_map
from gateway.settings import Settings
from gateway.torchserve import Prediction, Target, TorchServe
from gateway.uploads import read_image

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Segmentation:
    """The answer: an indexed PNG of the image's size, and the headers that go with it."""

    png: bytes
    headers: dict[str, str]


@asynccontextmanager
async def _deadline(seconds: float, detail: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as exc:
        raise DeadlineExceededError(detail) from exc


def _about(target: Target) -> dict[str, str]:
    return {"X-Model": target.model, "X-Model-Version": target.version}


class Pipeline:
    """The way of one image through the gateway."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        torchserve: TorchServe,
        admission: Admission,
        memory: Memory,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._torchserve = torchserve
        self._admission = admission
        self._memory = memory

    async def segment(self, request: Request, version: str | None) -> Segmentation:
        """The colour map of the image in a request; raises GatewayError or ClientDisconnect."""
        started = time.perf_counter()
        self._admission.refuse_if_full()
        with self._memory.buffer() as image:
            limit = self._settings.upload_deadline_s
            async with _deadline(limit, f"The upload took longer than {limit:g} seconds."):
                await read_image(request, self._settings.max_image_bytes, image)
            limit = self._settings.deadline_s
            async with _deadline(limit, f"No answer after {limit:g} seconds. Try again later."):
                target, prediction = await self._ask(request, image, version)
        return self._answer(target, prediction, started)

    async def _ask(
        self, request: Request, image: Buffer, version: str | None
    ) -> tuple[Target, Prediction]:
        """The prediction of the version that was asked for, or of the default one."""
        target = await self._route(version)
        try:
            return target, await self._predict(request, image, target)
        except NotFoundError as exc:
            if version is not None:
                raise await self._catalogue.unknown(version) from exc
        # The default version was removed after we learnt its name: there is another one now.
        await self._catalogue.refresh()
        target = await self._route(None)
        try:
            return target, await self._predict(request, image, target)
        except NotFoundError as exc:
            raise ModelUnavailableError("The default version is being replaced.") from exc

    async def _route(self, version: str | None) -> Target:
        chosen = version or await self._catalogue.default_version()
        return Target(self._catalogue.model, chosen)

    async def _predict(self, request: Request, image: Buffer, target: Target) -> Prediction:
        try:
            async with self._admission.turn() as waited_s:
                if waited_s > 0.1 and await request.is_disconnected():
                    raise ClientDisconnect
                return await self._torchserve.predict(target, image, request.state.request_id)
        except NoWorkerFreeError as exc:
            refusal = await self._catalogue.refusal(target.version)
            refusal.headers.update(_about(target))
            raise refusal from exc
        except GatewayError as error:
            error.headers.update(_about(target))
            raise

    def _answer(self, target: Target, prediction: Prediction, started: float) -> Segmentation:
        try:
            png = colour_map(prediction.mask, SEED)
        except NotAMaskError as exc:
            logger.warning("version %s answered with no mask: %s", target.version, exc)
            raise ModelUnavailableError(
                f"Version {target.version} did not answer with a mask. Choose another version.",
                _about(target),
            ) from exc
        total = f"total;dur={(time.perf_counter() - started) * 1e3:.1f}"
        timings = f"{prediction.timings}, {total}" if prediction.timings else total
        facts = {"X-Class-Pixels": prediction.class_pixels, "Server-Timing": timings}
        return Segmentation(png, _about(target) | facts)
