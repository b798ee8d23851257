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

from gateway.admission.upload_budget import Upload, UploadBudget
from gateway.errors import UnreadableImageError
from gateway.torchserve.failures import from_response, from_transport, is_from_handler
from gateway.torchserve.handler_headers import (
    CLASS_CONFIDENCE,
    CLASS_PIXELS,
    CONFIDENCE,
    numbers,
    timings,
)
from gateway.torchserve.transport import Response, Timeouts, Transport

# Names this process's monotonic clock to the handler.
_SENDER: Final = f"; sender={uuid.uuid4().hex}; sent="
_NEVER: Final = float("-inf")
# Longer than TorchServe needs to replace a worker that hangs.
_PROBE_S: Final = 90.0
_W3C: Final = TraceContextTextMapPropagator()
# A parent that is not sampled, so that the worker records nothing of a probe.
_UNTRACED: Final = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))


@dataclass(frozen=True)
class Target:
    """The version of a model that a request is sent to."""

    model: str
    version: str


@dataclass(frozen=True)
class Address:
    """A TorchServe's inference API. token: that it requires; empty for none."""

    url: str
    token: str = ""


@dataclass(frozen=True)
class PredictRequest:
    """The metadata of a request; the image is separate.

    options: the handler's render options in JSON; None for its plain mask.
    expires: when the gateway's deadline passes, in seconds on its monotonic clock.
    in_background: no client waits; the worker takes only time that others leave.
    """

    request_id: str
    options: str | None
    expires: float
    in_background: bool = False


@dataclass(frozen=True)
class PredictResponse:
    """The handler's response: a PNG of the image's size, and its headers.

    png: the output form of the options; without options, class ids in 8-bit grey.
    class_pixels: "id=pixels,..." of the classes present.
    timings: the worker's stages in the format of Server-Timing.
    confidence: mean over the image, "0.0000" to "1.0000".
    class_confidence: "id=mean,..."; empty unless requested by the options.
    seconds: from the request to the answer.
    version: the one that the worker says it is, X-Model-Version; empty if it does not.
    """

    png: bytes
    class_pixels: str
    timings: str
    confidence: str
    class_confidence: str
    seconds: float = 0.0
    version: str = ""


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
    """A client of the nodes' inference APIs."""

    def __init__(
        self,
        transport: Transport,
        timeouts: Timeouts,
        liveness: Liveness | None = None,
    ) -> None:
        self._liveness = liveness or Liveness()
        self._transport = transport
        self._timeouts = timeouts

    async def predict(
        self, target: Target, image: Upload, request: PredictRequest, node: Address
    ) -> PredictResponse:
        """Send an image to a node and return the response.

        Raises GatewayError: the handler's error for the image, a failure of TorchServe,
        NodeUnreachableError if another node may answer, or ModelUnavailableError for confidences
        and counts that are none.
        """
        is_answered, began = False, time.perf_counter()
        self._liveness.begin(target.version)
        try:
            response = await self._post(target, image, request, node)
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
            seconds=time.perf_counter() - began,
            version=response.headers.get("X-Model-Version", ""),
        )

    async def probe(self, target: Target, node: Address) -> None:
        """Return when a worker has answered, which refuses an empty image; raises GatewayError."""
        with Upload(UploadBudget(0)) as nothing, trace.use_span(_UNTRACED):
            request = PredictRequest("probe", None, time.monotonic() + _PROBE_S)
            try:
                await self.predict(target, nothing, request, node)
            except UnreadableImageError:
                return

    async def _post(
        self, target: Target, image: Upload, request: PredictRequest, node: Address
    ) -> Response:
        try:
            return await self._send(target, image, request, node)
        except (aiohttp.ClientConnectorError, TimeoutError):
            raise
        except aiohttp.ClientError:
            # A restart of TorchServe may have closed a kept-alive connection just as it was taken
            # from the pool. Predictions are idempotent and this one keeps its slot: it is safe.
            return await self._send(target, image, request, node)

    async def _send(
        self, target: Target, image: Upload, request: PredictRequest, node: Address
    ) -> Response:
        # Seconds left, because the clock of the handler's machine may show another time of day.
        now = time.monotonic()
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(image.size),
            "X-Request-ID": request.request_id,
            "X-Segserve-Timeout": f"{request.expires - now:.3f}{_SENDER}{now:.3f}",
        }
        if node.token:
            headers["Authorization"] = f"Bearer {node.token}"
        if request.in_background:
            headers["X-Segserve-Background"] = "1"
        if request.options is not None:
            headers["X-Segserve-Form"] = request.options
        headers |= trace_context()
        url = _endpoint(node.url, target)
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
