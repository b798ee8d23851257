"""TorchServe's inference API: an image in, the handler's mask and its facts out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import aiohttp
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from yarl import URL

from gateway.admission.upload_budget import Upload
from gateway.torchserve.failures import from_response, from_transport
from gateway.torchserve.transport import Response, Timeouts, Transport

_W3C: Final = TraceContextTextMapPropagator()


@dataclass(frozen=True)
class Target:
    """The version of a model that answers a request."""

    model: str
    version: str


@dataclass(frozen=True)
class PredictRequest:
    """What accompanies an image.

    options: the handler's render options in JSON; None for its plain mask.
    expires: Unix time in seconds at which the gateway's deadline passes.
    """

    request_id: str
    options: str | None
    expires: float


@dataclass(frozen=True)
class PredictResponse:
    """The handler's response: a PNG of the image's size, and facts about it.

    png: what the options ask for; without options, class ids in 8-bit grey.
    class_pixels: "id=pixels,..." of the classes present.
    timings: the worker's stages in the format of Server-Timing.
    confidence: mean over the image, "0.0000" to "1.0000".
    class_confidence: "id=mean,..."; empty unless the options ask for it.
    """

    png: bytes
    class_pixels: str
    timings: str
    confidence: str
    class_confidence: str


class InferenceClient:
    """A client of the inference API."""

    def __init__(self, transport: Transport, url: str, timeouts: Timeouts) -> None:
        self._transport = transport
        self._url = url.rstrip("/")
        self._timeouts = timeouts

    async def predict(
        self, target: Target, image: Upload, request: PredictRequest
    ) -> PredictResponse:
        """The response to an image.

        Raises a GatewayError: the handler's verdict on the image, or a failure of TorchServe.
        """
        try:
            response = await self._post(target, image, request)
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise from_transport(exc) from exc
        if response.status_code != HTTPStatus.OK:
            raise from_response(response)
        return PredictResponse(
            png=response.content,
            class_pixels=_fact(response, "X-Class-Pixels"),
            timings=_fact(response, "Server-Timing"),
            confidence=_fact(response, "X-Confidence"),
            class_confidence=_fact(response, "X-Class-Confidence"),
        )

    async def _post(self, target: Target, image: Upload, request: PredictRequest) -> Response:
        try:
            return await self._send(target, image, request)
        except (aiohttp.ClientConnectorError, TimeoutError):
            raise
        except aiohttp.ClientError:
            # A restart of TorchServe may have closed a kept-alive connection just as it was taken
            # from the pool. A prediction changes nothing and this one keeps its slot, so a second
            # try is safe and never adds to the load that TorchServe sees at once.
            return await self._send(target, image, request)

    async def _send(self, target: Target, image: Upload, request: PredictRequest) -> Response:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(image.size),
            "X-Request-ID": request.request_id,
            "X-Segserve-Deadline": f"{request.expires:.3f}",
        }
        if request.options is not None:
            headers["X-Segserve-Form"] = request.options
        headers |= trace_context()
        url = _endpoint(self._url, target)
        return await self._transport.post(url, headers, _body(image), self._timeouts)


@lru_cache(maxsize=64)
def _endpoint(url: str, target: Target) -> URL:
    """The URL of a version; cached, because parsing it takes a tenth of the gateway's time.

    Always an explicit version: InferenceClient's metrics call every other one "default".
    """
    return URL(f"{url}/predictions/{quote(target.model)}/{quote(target.version)}", encoded=True)


async def _body(image: Upload) -> AsyncIterator[bytes | bytearray]:
    """The image block by block, so that no layer copies it; nothing appends to it any more."""
    for block in image.blocks:
        yield block


def _fact(response: Response, name: str) -> str:
    """A header of the response in ASCII, because ours must carry it on; empty if it is missing."""
    return response.headers.get(name, "").encode("ascii", "replace").decode()


def trace_context() -> dict[str, str]:
    """The W3C headers that make the worker's spans children of the current span, if any."""
    headers: dict[str, str] = {}
    if trace.get_current_span().get_span_context().is_valid:
        _W3C.inject(headers)
    return headers
