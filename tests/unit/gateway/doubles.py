"""Doubles for the gateway's surroundings: TorchServe, forms, time, a real HTTP server."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any

import aiohttp
import httpx
import numpy as np
import uvicorn
from aiohttp.client_reqrep import ConnectionKey
from fastapi import FastAPI
from PIL import Image
from starlette.types import ASGIApp
from yarl import URL

from gateway.app import create_app
from gateway.http.server import ProblemProtocol
from gateway.masks.grey_png import encode_grey
from gateway.settings import Settings
from gateway.torchserve.transport import Response, Timeouts

BOUNDARY = "----boundary"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
STARTED = "2026-01-02T03:04:05.678Z"
NO_WORKER = {
    "code": 503,
    "type": "ServiceUnavailableException",
    "message": 'Model "deeplabv3" Version 1.0 has no worker to serve inference request.',
}

Predict = Callable[[httpx.Request], Awaitable[httpx.Response]]


def mask_png(size: tuple[int, int] = (4, 3), mode: str = "L") -> bytes:
    """A mask as the handler sends it: class 15 in the left column, background elsewhere."""
    mask = Image.new(mode, size, 0)
    mask.paste(15, (0, 0, 1, size[1]))
    if mode == "L":
        return encode_grey(np.asarray(mask))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    return buffer.getvalue()


def part(content: bytes, disposition: str = 'form-data; name="file"; filename="a.jpg"') -> bytes:
    """One part of a form."""
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\nContent-Type: image/jpeg\r\n\r\n"
    return head.encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    """A complete form of these parts."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def mask_response(mask: bytes | None = None, form: str = "{}") -> httpx.Response:
    """The handler's response to an image; whatever the render options, a mask."""
    headers = {
        "Content-Type": "image/png",
        "X-Class-Pixels": "0=9,15=3",
        "Server-Timing": "infer;dur=17.0",
        "X-Confidence": "0.9312",
    }
    if json.loads(form).get("confidence"):
        headers["X-Class-Confidence"] = "0=0.9512,15=0.8712"
    return httpx.Response(200, content=mask_png() if mask is None else mask, headers=headers)


def json_response(status: int, fields: object) -> httpx.Response:
    """A response in JSON."""
    return httpx.Response(status, json=fields)


def describe(version: str, workers: int, metadata: Any = None) -> dict[str, Any]:
    """A version as the management API describes it."""
    worker = {"id": "9000", "startTime": STARTED, "status": "READY", "memoryUsage": 1}
    loading = worker | {"status": "LOADING"}
    return {
        "modelName": "deeplabv3",
        "modelVersion": version,
        "minWorkers": workers + 1,
        "workers": [worker] * workers + [loading],
        "customizedMetadata": metadata,
    }


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refused() -> aiohttp.ClientConnectorError:
    """The exception that aiohttp raises if a connection is refused."""
    key = ConnectionKey("127.0.0.1", 8080, False, True, None, None, None)
    return aiohttp.ClientConnectorError(key, ConnectionRefusedError("refused"))


# httpx's exception -> aiohttp's exception for the same failure.
_SAME_FAILURE: Mapping[type[httpx.HTTPError], Callable[[], aiohttp.ClientError]] = {
    httpx.ConnectError: refused,
    httpx.ConnectTimeout: aiohttp.ConnectionTimeoutError,
    httpx.ReadError: aiohttp.ClientOSError,
    httpx.ReadTimeout: aiohttp.SocketTimeoutError,
}


class TorchServeDouble(httpx.AsyncBaseTransport):
    """TorchServe's two APIs without a network; a test may change the responses at any time."""

    def __init__(self) -> None:
        self.versions = {"1.0": 2}
        self.default = "1.0"
        self.labels = {"0": "background", "15": "person"}
        self.about: dict[str, Any] = {}
        self.down: httpx.HTTPError | None = None
        self.responding = asyncio.Event()
        self.responding.set()
        self.workers_answer = asyncio.Event()
        self.workers_answer.set()
        self.predictions: list[httpx.Request] = []
        self.management_calls: list[str] = []
        self.predict: Predict = self._mask

    async def _mask(self, request: httpx.Request) -> httpx.Response:
        return mask_response(form=request.headers.get("X-Segserve-Form", "{}"))

    async def post(
        self,
        url: URL,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes | bytearray],
        timeouts: Timeouts,
    ) -> Response:
        """The inference API."""
        if self.down is not None:
            raise _SAME_FAILURE[type(self.down)]()
        content = b"".join([block async for block in body])
        request = httpx.Request("POST", str(url), headers=dict(headers), content=content)
        self.predictions.append(request)
        response = await self.predict(request)
        return Response(response.status_code, response.headers, await response.aread())

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The management API."""
        if self.down is not None:
            raise self.down
        self.management_calls.append(request.url.raw_path.decode())
        await self.responding.wait()
        if request.url.params.get("customized"):
            await self.workers_answer.wait()
        return self._describe(request.url)

    def _describe(self, url: httpx.URL) -> httpx.Response:
        _, _, model, *rest = url.path.split("/")
        if model != "deeplabv3":
            return json_response(404, {"code": 404, "type": "ModelNotFoundException"})
        if rest == ["all"]:
            return json_response(200, [describe(*item) for item in self.versions.items()])
        version = rest[0] if rest else self.default
        metadata = (
            json.dumps({"labels": self.labels, **self.about})
            if url.params.get("customized")
            else None
        )
        return json_response(200, [describe(version, self.versions[version], metadata)])


def settings(**changes: Any) -> Settings:
    """The default settings with these changes, independent of the environment."""
    return Settings.model_validate(Settings.model_construct().model_dump() | changes)


def application(torchserve: TorchServeDouble, **changes: Any) -> FastAPI:
    """A gateway with these settings in front of the given TorchServe."""
    return create_app(settings(**changes), torchserve, torchserve)


def client(torchserve: TorchServeDouble, **changes: Any) -> httpx.AsyncClient:
    """A client of a gateway in this process, in front of the given TorchServe."""
    app = application(torchserve, **changes)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


async def send(
    gateway: httpx.AsyncClient, body: bytes | None = None, **options: Any
) -> httpx.Response:
    """Post a form, by default one with a file, to the drop-in endpoint."""
    headers = {"Content-Type": FORM_TYPE} | options.pop("headers", {})
    content = form(part(b"a photo")) if body is None else body
    return await gateway.post("/segmentation", content=content, headers=headers, **options)


@contextmanager
def serving(app: ASGIApp) -> Iterator[int]:
    """Run an application on a real socket, as the gateway does; yields its port."""
    config = uvicorn.Config(
        app, port=0, http=ProblemProtocol, ws="none", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
