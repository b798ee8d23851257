"""Client of TorchServe's inference API."""

import logging
import re
import time
import uuid
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
from gateway.errors import ModelUnavailableError
from gateway.torchserve.failures import from_response, from_transport
from gateway.torchserve.transport import Response, Timeouts, Tokens, Transport

logger = logging.getLogger(__name__)

# Names this process's monotonic clock to the handler.
_SENDER: Final = uuid.uuid4().hex
_W3C: Final = TraceContextTextMapPropagator()


def _pairs(value: str) -> re.Pattern[str]:
    pair = rf"\d{{1,3}}+={value}"
    return re.compile(rf"{pair}(?:,{pair})*+", re.ASCII)


# The handler's headers as they may be passed on: neither NaN nor infinity, no control character.
# Possessive, which takes two thirds of the time.
_SHARE: Final = r"(?:0(?:\.\d{1,9}+)?+|1(?:\.0{1,9}+)?+)"
_CONFIDENCE: Final = re.compile(_SHARE, re.ASCII)
_CLASS_PIXELS: Final = _pairs(r"\d{1,12}+")
_CLASS_CONFIDENCE: Final = _pairs(_SHARE)
_TIMING: Final = r"\w++;dur=\d{1,9}+(?:\.\d{1,9}+)?+"
_TIMINGS: Final = re.compile(rf"{_TIMING}(?:, {_TIMING})*+", re.ASCII)


@dataclass(frozen=True)
class Target:
    """The version of a model that a request is sent to."""

    model: str
    version: str


@dataclass(frozen=True)
class PredictRequest:
    """The metadata of a request; the image is separate.

    options: the handler's render options in JSON; None for its plain mask.
    expires: when the gateway's deadline passes, in seconds on its monotonic clock.
    """

    request_id: str
    options: str | None
    expires: float


@dataclass(frozen=True)
class PredictResponse:
    """The handler's response: a PNG of the image's size, and its headers.

    png: the output form of the options; without options, class ids in 8-bit grey.
    class_pixels: "id=pixels,..." of the classes present.
    timings: the worker's stages in the format of Server-Timing.
    confidence: mean over the image, "0.0000" to "1.0000".
    class_confidence: "id=mean,..."; empty unless requested by the options.
    """

    png: bytes
    class_pixels: str
    timings: str
    confidence: str
    class_confidence: str


class InferenceClient:
    """A client of the inference API."""

    def __init__(
        self, transport: Transport, url: str, timeouts: Timeouts, tokens: Tokens | None = None
    ) -> None:
        self._transport = transport
        self._tokens = tokens or Tokens(None)
        self._url = url.rstrip("/")
        self._timeouts = timeouts

    async def predict(
        self, target: Target, image: Upload, request: PredictRequest
    ) -> PredictResponse:
        """Send an image and return the response.

        Raises GatewayError: the handler's error for the image, a failure of TorchServe, or
        ModelUnavailableError for confidences and counts that are none.
        """
        try:
            response = await self._post(target, image, request)
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise from_transport(exc) from exc
        if response.status_code != HTTPStatus.OK:
            raise from_response(response)
        return PredictResponse(
            png=response.content,
            class_pixels=_fact(response, target, "X-Class-Pixels", _CLASS_PIXELS),
            timings=_timings(response),
            confidence=_fact(response, target, "X-Confidence", _CONFIDENCE),
            class_confidence=_fact(response, target, "X-Class-Confidence", _CLASS_CONFIDENCE),
        )

    async def _post(self, target: Target, image: Upload, request: PredictRequest) -> Response:
        try:
            return await self._send(target, image, request)
        except (aiohttp.ClientConnectorError, TimeoutError):
            raise
        except aiohttp.ClientError:
            # A restart of TorchServe may have closed a kept-alive connection just as it was taken
            # from the pool. Predictions are idempotent and this one keeps its slot, so a retry is
            # safe and never adds to TorchServe's concurrent load.
            return await self._send(target, image, request)

    async def _send(self, target: Target, image: Upload, request: PredictRequest) -> Response:
        # Seconds left, because the clock of the handler's machine may show another time of day.
        now = time.monotonic()
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(image.size),
            "X-Request-ID": request.request_id,
            "X-Segserve-Timeout": f"{request.expires - now:.3f}; sender={_SENDER}; sent={now:.3f}",
            **self._tokens.headers("inference"),
        }
        if request.options is not None:
            headers["X-Segserve-Form"] = request.options
        headers |= trace_context()
        url = _endpoint(self._url, target)
        return await self._transport.post(url, headers, _body(image), self._timeouts)


@lru_cache(maxsize=64)
def _endpoint(url: str, target: Target) -> URL:
    """Return the URL of a version."""
    # Cached, because parsing it takes a tenth of the gateway's time. Always with an explicit
    # version: TorchServe's metrics label requests without one as "default".
    return URL(f"{url}/predictions/{quote(target.model)}/{quote(target.version)}", encoded=True)


async def _body(image: Upload) -> AsyncIterator[bytes | bytearray]:
    """Yield the image in blocks, so that no layer below copies it; it no longer grows."""
    for block in image.blocks:
        yield block


def _fact(response: Response, target: Target, name: str, pattern: re.Pattern[str]) -> str:
    """Return a header with numbers, empty if it is missing; raises ModelUnavailableError."""
    value = response.headers.get(name, "")
    if value and not pattern.fullmatch(value):
        logger.warning("version %s answered with %s: %.100r", target.version, name, value)
        raise ModelUnavailableError(
            f"Version {target.version} answered with values that are no numbers. "
            "Choose another version."
        )
    return value


def _timings(response: Response) -> str:
    """Return the worker's stages; empty if they are missing or unreadable: they are no result."""
    value = response.headers.get("Server-Timing", "")
    return value if _TIMINGS.fullmatch(value) else ""


def trace_context() -> dict[str, str]:
    """Return the W3C trace headers of the current span; empty if there is none."""
    headers: dict[str, str] = {}
    if trace.get_current_span().get_span_context().is_valid:
        _W3C.inject(headers)
    return headers
