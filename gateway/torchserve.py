"""TorchServe's inference API: the only module that knows it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache

import httpx

from gateway.memory import Buffer
from gateway.translation import from_answer, from_transport


@dataclass(frozen=True)
class Target:
    """The version of a model that answers a request."""

    model: str
    version: str


@dataclass(frozen=True)
class Prediction:
    """The handler's answer: a grey PNG of class ids at the image's size, and facts about it."""

    mask: bytes
    class_pixels: str
    timings: str


@lru_cache(maxsize=64)
def _endpoint(url: str, target: Target) -> httpx.URL:
    """Where a version answers; remembered, because to parse a URL takes a tenth of our time.

    Always an explicit version: TorchServe's metrics call every other one "default".
    """
    return httpx.URL(f"{url}/predictions/{target.model}/{target.version}")


class _Body:
    """An image as a request body, block by block, so that no layer below copies it whole."""

    def __init__(self, image: Buffer) -> None:
        self._image = image

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for block in self._image.blocks:
            yield bytes(block)


class TorchServe:
    """Asks for masks."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/")

    async def predict(self, target: Target, image: Buffer, request_id: str) -> Prediction:
        """The mask of an image.

        Raises a GatewayError: the handler's verdict on the image, or what TorchServe suffers.
        """
        try:
            answer = await self._post(target, image, request_id)
        except httpx.HTTPError as exc:
            raise from_transport(exc) from exc
        if answer.status_code != httpx.codes.OK:
            raise from_answer(answer)
        return Prediction(
            mask=answer.content,
            class_pixels=answer.headers.get("X-Class-Pixels", ""),
            timings=answer.headers.get("Server-Timing", ""),
        )

    async def _post(self, target: Target, image: Buffer, request_id: str) -> httpx.Response:
        try:
            return await self._send(target, image, request_id)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # A kept-alive connection may have been closed by a restart of TorchServe just as it
            # was taken from the pool. A prediction changes nothing and this one keeps its turn,
            # so asking once more is safe and never adds to the load that TorchServe sees at once.
            return await self._send(target, image, request_id)

    async def _send(self, target: Target, image: Buffer, request_id: str) -> httpx.Response:
        return await self._client.post(
            _endpoint(self._url, target),
            content=_Body(image),
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Length": str(image.size),
                "X-Request-ID": request_id,
            },
        )
