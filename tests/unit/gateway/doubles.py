"""Doubles for the gateway's surroundings: TorchServe, forms, time, a real HTTP server."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
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
from gateway.registry.database import Database
from gateway.registry.follower import Follower
from gateway.registry.records import STABLE, VersionRecord
from gateway.registry.snapshot import ModelState, Snapshot
from gateway.settings import Settings
from gateway.state import State, build_state
from gateway.telemetry.tracing import Tracing
from gateway.torchserve.transport import Response, Timeouts
from gateway.traffic.fleet import Fleet, NodeReady
from gateway.traffic.report import Report, VersionReport
from tests.unit.gateway.data_folders import data_folder

BOUNDARY = "----boundary"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
STARTED = "2026-01-02T03:04:05.678Z"
NO_WORKER = {
    "code": 503,
    "type": "ServiceUnavailableException",
    "message": 'Model "deeplabv3" Version 1.0 has no worker to serve inference request.',
}

MODEL = "deeplabv3"
DIGEST = "d" * 64
NODE_URL = "http://127.0.0.1:8080"

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


class TorchServeDouble:
    """TorchServe without a network; a test may change the responses at any time."""

    def __init__(self) -> None:
        self.versions = {"1.0": 2}
        self.default = "1.0"
        self.labels = {"0": "background", "15": "person"}
        self.about: dict[str, Any] = {}
        self.down: httpx.HTTPError | None = None
        self.aliases: dict[str, str] = {}
        self.canary_percent = self.shadow_percent = 0
        self.is_registered = True
        self.workers_answer = asyncio.Event()
        self.workers_answer.set()
        self.registry_answers = asyncio.Event()
        self.registry_answers.set()
        self.probes = 0
        self.probe_headers: dict[str, str] = {}
        self.predictions: list[httpx.Request] = []
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
        if not content:
            self.probes += 1
            self.probe_headers = dict(headers)
            await self.workers_answer.wait()
            refusal = json_response(422, {"code": "unreadable_image", "detail": "It is empty."})
            return Response(refusal.status_code, refusal.headers, refusal.content)
        request = httpx.Request("POST", str(url), headers=dict(headers), content=content)
        self.predictions.append(request)
        response = await self.predict(request)
        return Response(response.status_code, response.headers, await response.aread())

    async def close(self) -> None:
        """Do nothing: there are no connections."""


class ServedFollower(Follower):
    """Follows what a double of TorchServe has: its versions, of which the default is stable."""

    def __init__(self, torchserve: TorchServeDouble, database: Database) -> None:
        super().__init__(database)
        self._torchserve = torchserve

    async def refresh(self) -> None:
        """Wait until the double's registry answers."""
        await self._torchserve.registry_answers.wait()

    @property
    def snapshot(self) -> Snapshot:
        """The registry that such a TorchServe would have."""
        served = self._torchserve
        labels = {int(index): name for index, name in served.labels.items()}
        versions = {
            name: VersionRecord(
                MODEL, name, DIGEST, 1, labels, served.about, datetime.now(UTC), "a test"
            )
            for name in served.versions
        }
        aliases = {STABLE: served.default, **served.aliases}
        shares = (served.canary_percent, served.shadow_percent)
        state = ModelState(MODEL, 1, "salt", *shares, {}, versions, aliases)
        return Snapshot(1, {MODEL: state} if served.is_registered else {})


class ServedFleet(Fleet):
    """One node, which has what a double of TorchServe has, and reports nothing while that is down.

    A gateway may be asked for images before it notices that reports are missing.
    """

    def __init__(self, torchserve: TorchServeDouble) -> None:
        super().__init__()
        self._torchserve = torchserve

    @property
    def fresh(self) -> dict[str, Report]:
        """The node's report."""
        if self._torchserve.down is not None:
            return {}
        versions = {
            name: VersionReport(DIGEST, "ready", workers, workers + 1, loaded_at=STARTED)
            for name, workers in self._torchserve.versions.items()
        }
        return {"node": Report("node", NODE_URL, "token", models={MODEL: versions})}

    def nodes_with(
        self, model: str, version: str, *, sha256: str = "", without: Collection[str] = ()
    ) -> list[NodeReady]:
        """The node, if it has workers of the version."""
        workers = self._torchserve.versions.get(version, 0)
        return [NodeReady("node", NODE_URL, workers, "token")] if workers else []


def settings(**changes: Any) -> Settings:
    """The default settings with these changes, independent of the environment.

    Their data folder is a new one, with an empty database.
    """
    changes = {"data_dir": data_folder()} | changes
    return Settings.model_validate(Settings.model_construct().model_dump() | changes)


def state(torchserve: TorchServeDouble, chosen: Settings) -> State:
    """A gateway's state which follows the given TorchServe."""
    built = build_state(chosen)
    follower = ServedFollower(torchserve, built.database)
    return replace(built, follower=follower, fleet=ServedFleet(torchserve))


def application(
    torchserve: TorchServeDouble, *, tracing: Tracing | None = None, **changes: Any
) -> FastAPI:
    """A gateway with these settings in front of the given TorchServe."""
    chosen = settings(**{"data_dir": data_folder(), **changes})
    return create_app(chosen, torchserve, tracing, state(torchserve, chosen))


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
