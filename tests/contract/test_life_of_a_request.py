"""The gateway's modules between a client's socket and TorchServe are few, and documented."""

import ast
import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import httpx
import pytest
import uvicorn

from gateway.agents.heartbeats import Heartbeats
from gateway.agents.schemas import Heartbeat
from gateway.app import create_app
from gateway.http.server import ProblemProtocol
from gateway.registry import policies, versions
from gateway.registry.follower import Follower
from gateway.registry.records import STABLE, Change, VersionRecord
from gateway.segmentation.shadow.mirror import Mirror
from gateway.state import build_state
from gateway.telemetry import loop_lag
from gateway.traffic.trial import Trial
from tests.unit.gateway.data_folders import data_folder
from tests.unit.gateway.doubles import DIGEST, MODEL, mask_png, settings

ROOT = Path(__file__).parents[2]
GATEWAY = ROOT / "gateway"
MOST = 25
# What runs all the time, whether or not there are requests.
BACKGROUND = {
    Follower._follow.__code__,
    Follower._load_quietly.__code__,
    Heartbeats._tick.__code__,
    Heartbeats._write_all.__code__,
    Mirror._flush_all.__code__,
    Trial._judge_all.__code__,
}

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """asyncio, the event loop of the gateway."""
    return "asyncio"


class Trace:
    """The gateway's modules whose code runs, in the order of their first call."""

    def __init__(self) -> None:
        self.modules: list[str] = []

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(GATEWAY):
            module = str(path.relative_to(GATEWAY).with_suffix(""))
            if module not in self.modules and not _is_background(frame):
                self.modules.append(module)


def _is_background(frame: FrameType | None) -> bool:
    """Whether a frame belongs to a task that runs all the time."""
    while frame:
        if frame.f_code in BACKGROUND or frame.f_code.co_filename == loop_lag.__file__:
            return True
        frame = frame.f_back
    return False


@asynccontextmanager
async def torchserve(trace: Trace) -> AsyncIterator[str]:
    """An inference API that ends the trace once an image has reached it."""

    async def predict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        sys.setprofile(None)
        mask = mask_png()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(mask), mask))
        writer.close()

    server = await asyncio.start_server(predict, "127.0.0.1")
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def beat(inference_url: str) -> Heartbeat:
    """The report of an agent whose TorchServe has the version."""
    version = {"sha256": DIGEST, "state": "ready", "ready": 1, "wanted": 1}
    fields = {"node": "a", "url": inference_url, "token": "a-token", "generation": 0}
    return Heartbeat.model_validate({**fields, "models": {MODEL: {"1.0": version}}})


@asynccontextmanager
async def gateway(inference_url: str) -> AsyncIterator[int]:
    """Run the gateway in this event loop; yields its port."""
    chosen = settings(data_dir=data_folder())
    state = build_state(chosen)
    now, labels = datetime.now(UTC), {0: "background", 15: "person"}
    with state.database.writing() as connection:
        versions.add(
            connection, VersionRecord(MODEL, "1.0", DIGEST, 1, labels, {}, now, "a test"), "a test"
        )
        policies.set_alias(connection, MODEL, STABLE, "1.0", Change("a test"))
    await state.follower.refresh()
    state.heartbeats.heard(beat(inference_url))
    app = create_app(chosen, state=state)
    config = uvicorn.Config(
        app, port=0, http=ProblemProtocol, ws="none", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


def documented() -> list[str]:
    """The modules in docs/architecture.md, in their order."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text.split("## The life of a request", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| \d+ \| `([\w/]+)\.py`", section, re.MULTILINE)


async def test_a_request_crosses_the_documented_modules_and_no_others() -> None:
    """A traced request crosses the documented modules in the documented order."""
    trace = Trace()
    async with torchserve(trace) as url, gateway(url) as port, httpx.AsyncClient() as client:
        target = f"http://127.0.0.1:{port}/segmentation"
        files = {"file": ("photo.jpg", b"photo", "image/jpeg")}
        assert (await client.post(target, files=files)).status_code == 200  # imports and caches
        sys.setprofile(trace)
        try:
            response = await client.post(target, files=files)
        finally:
            sys.setprofile(None)
    assert response.status_code == 200
    assert trace.modules == documented()
    assert len(trace.modules) <= MOST


def test_every_module_of_a_request_is_reached_by_imports() -> None:
    """Every documented module can be reached from app.py by imports."""
    reached, ahead = set[str](), ["app"]
    while ahead:
        module = ahead.pop()
        for name in _imported(GATEWAY / f"{module}.py") - reached:
            reached.add(name)
            ahead.append(name)
    # uvicorn gets the protocol from __main__, not from the application.
    assert set(documented()) - reached == {"http/server"}


def _imported(path: Path) -> set[str]:
    """The gateway's modules that a file imports, as paths below gateway/ without suffix."""
    names = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gateway"):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    paths = {name.removeprefix("gateway.").replace(".", "/") for name in names}
    return {name for name in paths if (GATEWAY / f"{name}.py").is_file()}
