"""Images within something else: received as uploads are, and unpacked when it is their turn."""

import asyncio
import base64
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.offload import Offload, T
from tests.unit.gateway.doubles import TorchServeDouble, client
from tests.unit.gateway.label_studio_tasks import tasks, uri

pytestmark = pytest.mark.anyio

PHOTO = base64.b64encode(b"a photo").decode()
TENSOR = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [PHOTO]}
REQUESTS = [
    ("/v1/hf/deeplabv3", {"inputs": PHOTO}),
    ("/v2/models/deeplabv3/infer", {"inputs": [TENSOR]}),
    ("/v1/label-studio/predict", tasks(uri(b"a photo"))),
]


class LateTurns(Offload):
    """Nobody's turn comes before it is said to."""

    def __init__(self) -> None:
        super().__init__()
        self.come = asyncio.Event()
        self.waiting = 0

    async def run(self, pixels: int, work: Callable[[], T]) -> T:
        """As always, but late."""
        self.waiting += 1
        await self.come.wait()
        return await super().run(pixels, work)


async def _held(gateway: httpx.AsyncClient) -> int:
    """Bytes of uploads that the gateway holds, as its metrics say."""
    metrics = (await gateway.get("/metrics")).text
    found = re.search(r"^segserve_upload_buffer_bytes ([\d.e+]+)$", metrics, re.MULTILINE)
    return int(float(found[1])) if found else -1


@pytest.mark.parametrize(("path", "fields"), REQUESTS)
async def test_a_body_that_waits_for_its_turn_is_held_in_the_budget_and_is_no_slow_upload(
    torchserve: TorchServeDouble, monkeypatch: pytest.MonkeyPatch, path: str, fields: dict[str, Any]
) -> None:
    """However long it waits; in the end it is answered, and nothing of it is left."""
    turns = LateTurns()
    monkeypatch.setattr("gateway.app.Offload", lambda: turns)
    async with client(torchserve, upload_deadline_s=0.1) as gateway:
        request = gateway.build_request("POST", path, json=fields)
        answering = asyncio.create_task(gateway.send(request))
        while not turns.waiting:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.2)
        assert await _held(gateway) == len(request.content)
        turns.come.set()
        assert (await answering).status_code == 200
        assert await _held(gateway) == 0


async def test_a_request_that_cannot_wait_is_refused_before_it_is_read(
    torchserve: TorchServeDouble,
) -> None:
    """As every upload."""
    release = asyncio.Event()

    async def hang(_: httpx.Request) -> httpx.Response:
        await release.wait()
        return httpx.Response(503)

    torchserve.predict = hang
    async with client(torchserve, max_concurrency=1, max_queue=0) as gateway:
        first = asyncio.create_task(gateway.post("/v1/hf/deeplabv3", content=b"a photo"))
        while not torchserve.predictions:
            await asyncio.sleep(0.001)
        answer = await gateway.post("/v1/hf/deeplabv3", content=b"{")
        release.set()
        await first
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
