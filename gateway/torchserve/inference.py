"""Client of TorchServe's inference API."""

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
from gateway.torchserve.failures import from_response, from_transport, is_from_handler
from gateway.torchserve.handler_headers import (
    CLASS_CONFIDENCE,
    CLASS_PIXELS,
    CONFIDENCE,
    numbers,
    timings,
)
from gateway.torchserve.transport import Response, Timeouts, Tokens, Transport

# Names this process's monotonic clock to the handler.
_SENDER: Final = f"; sender={uuid.uuid4().hex}; sent="
_NEVER: Final = float("-inf")
_W3C: Final = TraceContextTextMapPropagator()


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


@dataclass(slots=True)
class _Version:
    """The questions to a version's workers. silent_since: None while none waits."""

    waiting: int = 0
    silent_since: float | None = None
    answered_at: float = _NEVER


class Liveness:
    """The answers of all versions' workers, to images and to probes.

    TorchServe itself reports a worker that hangs as ready for a minute. `begin` and `end` instead
    of a context manager, which would cost twice the time.
    """

    def __init__(self) -> None:
        self._versions: dict[str, _Version] = {}

    def begin(self, version: str) -> None:
        """Note a question to one of a version's workers."""
        known = self._versions.get(version)
        if known is None:
            known = self._versions[version] = _Version()
        known.waiting += 1
        if known.silent_since is None:
            known.silent_since = time.monotonic()

    def end(self, version: str, *, is_answered: bool) -> None:
        """Note the end of a question; also a refusal of the image is an answer."""
        known = self._versions[version]
        known.waiting -= 1
        if is_answered:
            known.answered_at = known.silent_since = time.monotonic()
        if not known.waiting:
            known.silent_since = None
            if known.answered_at == _NEVER:  # a client may invent any number of versions
                del self._versions[version]

    def silent_s(self, version: str) -> float:
        """Return the seconds for which questions have waited and none was answered."""
        known = self._versions.get(version)
        if known is None or known.silent_since is None:
            return 0.0
        return time.monotonic() - known.silent_since

    def seconds_since_answer(self, version: str) -> float:
        """Return the seconds since the last answer; infinity before the first."""
        known = self._versions.get(version)
        return time.monotonic() - known.answered_at if known else float("inf")


class InferenceClient:
    """A client of the inference API."""

    def __init__(
        self,
        transport: Transport,
        url: str,
        timeouts: Timeouts,
        tokens: Tokens | None = None,
        liveness: Liveness | None = None,
    ) -> None:
        self._liveness = liveness or Liveness()
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
        is_answered = False
        self._liveness.begin(target.version)
        try:
            response = await self._post(target, image, request)
            is_answered = response.status_code == HTTPStatus.OK or is_from_handler(response)
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise from_transport(exc) from exc
        finally:
            self._liveness.end(target.version, is_answered=is_answered)
        if response.status_code != HTTPStatus.OK:
            raise from_response(response)
        version = target.version
        return PredictResponse(
            png=response.content,
            class_pixels=numbers(response, version, "X-Class-Pixels", CLASS_PIXELS),
            timings=timings(response),
            confidence=numbers(response, version, "X-Confidence", CONFIDENCE),
            class_confidence=numbers(response, version, "X-Class-Confidence", CLASS_CONFIDENCE),
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
            "X-Segserve-Timeout": f"{request.expires - now:.3f}{_SENDER}{now:.3f}",
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


def trace_context() -> dict[str, str]:
    """Return the W3C trace headers of the current span; empty if there is none."""
    headers: dict[str, str] = {}
    if trace.get_current_span().get_span_context().is_valid:
        _W3C.inject(headers)
    return headers
