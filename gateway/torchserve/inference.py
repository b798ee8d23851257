"""TorchServe's inference API: the only module that knows it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import httpx
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from yarl import URL

from gateway.admission.upload_budget import Buffer
from gateway.torchserve.failures import from_answer, from_transport
from gateway.torchserve.transport import Answer, Patience, Transport

_W3C: Final = TraceContextTextMapPropagator()


@dataclass(frozen=True)
class Target:
    """The version of a model that answers a request."""

    model: str
    version: str


@dataclass(frozen=True)
class Prediction:
    """The handler's answer: a PNG of the image's size, and facts about it.

    png: what the form asks for; without one, class ids in 8-bit grey.
    class_pixels: "id=pixels,..." of the classes that occur.
    timings: the worker's stages, as Server-Timing has them.
    confidence: mean over the image, "0.0000" to "1.0000".
    class_confidence: "id=mean,..."; empty unless the form asks for it.
    """

    png: bytes
    class_pixels: str
    timings: str
    confidence: str
    class_confidence: str


@dataclass(frozen=True)
class Question:
    """What goes with an image: its request's id, the form that is wanted, and until when.

    form: the handler's words for it; None for its plain mask.
    expires: Unix time in seconds, after which nobody waits for the answer.
    """

    request_id: str
    form: str | None
    expires: float


@lru_cache(maxsize=64)
def _endpoint(url: str, target: Target) -> URL:
    """Where a version answers; remembered, because to parse a URL takes a tenth of our time.

    Always an explicit version: TorchServe's metrics call every other one "default".
    """
    return URL(f"{url}/predictions/{quote(target.model)}/{quote(target.version)}", encoded=True)


async def _body(image: Buffer) -> AsyncIterator[bytes]:
    """An image as a request body, block by block, so that no layer below copies it whole."""
    for block in image.blocks:
        yield bytes(block)


def _fact(answer: Answer, name: str) -> str:
    """A header of the answer, empty if it is missing; a model may send what none can pass on."""
    return answer.headers.get(name, "").encode("ascii", "replace").decode()


def trace_context() -> dict[str, str]:
    """The W3C headers that make the worker's spans children of the current one, if any."""
    headers: dict[str, str] = {}
    if trace.get_current_span().get_span_context().is_valid:
        _W3C.inject(headers)
    return headers


class TorchServe:
    """Asks for masks."""

    def __init__(self, transport: Transport, url: str, patience: Patience) -> None:
        self._transport = transport
        self._url = url.rstrip("/")
        self._patience = patience

    async def predict(self, target: Target, image: Buffer, question: Question) -> Prediction:
        """The answer to an image.

        Raises a GatewayError: the handler's verdict on the image, or what TorchServe suffers.
        """
        try:
            answer = await self._post(target, image, question)
        except httpx.HTTPError as exc:
            raise from_transport(exc) from exc
        if answer.status_code != httpx.codes.OK:
            raise from_answer(answer)
        return Prediction(
            png=answer.content,
            class_pixels=_fact(answer, "X-Class-Pixels"),
            timings=_fact(answer, "Server-Timing"),
            confidence=_fact(answer, "X-Confidence"),
            class_confidence=_fact(answer, "X-Class-Confidence"),
        )

    async def _post(self, target: Target, image: Buffer, question: Question) -> Answer:
        try:
            return await self._send(target, image, question)
        except (httpx.RemoteProtocolError, httpx.ReadError):
            # A kept-alive connection may have been closed by a restart of TorchServe just as it
            # was taken from the pool. A prediction changes nothing and this one keeps its turn,
            # so asking once more is safe and never adds to the load that TorchServe sees at once.
            return await self._send(target, image, question)

    async def _send(self, target: Target, image: Buffer, question: Question) -> Answer:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(image.size),
            "X-Request-ID": question.request_id,
            "X-Segserve-Deadline": f"{question.expires:.3f}",
        }
        if question.form is not None:
            headers["X-Segserve-Form"] = question.form
        headers |= trace_context()
        address = _endpoint(self._url, target)
        return await self._transport.post(address, headers, _body(image), self._patience)
