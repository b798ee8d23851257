"""Work on many pixels leaves the event loop to others."""

import asyncio
import base64
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.admission.cpu_pool import CpuPool, T
from gateway.admission.upload_budget import UploadBudget
from tests.unit.gateway.doubles import TorchServeDouble, client
from tests.unit.gateway.protocols.label_studio.tasks import tasks, uri

pytestmark = pytest.mark.anyio

PHOTO = base64.b64encode(b"a photo").decode()
TENSOR = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [PHOTO]}
REQUESTS = [
    ("/v1/hf/deeplabv3", {"inputs": PHOTO}),
    ("/v2/models/deeplabv3/infer", {"inputs": [TENSOR]}),
    ("/v1/label-studio/predict", tasks(uri(b"a photo"))),
]


@pytest.mark.parametrize(("pixels", "inline"), [(640 * 480, True), (12_000_000, False)])
async def test_only_large_work_is_moved_to_a_thread(pixels: int, inline: bool) -> None:
    """To hand over small work takes as long as to do it."""
    thread = await CpuPool().run(pixels, threading.get_ident)
    assert (thread == threading.get_ident()) == inline


async def test_two_at_once_and_the_loop_goes_on() -> None:
    """The third waits; meanwhile others are served."""
    pool, running, most = CpuPool(), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1

    running_tasks = [asyncio.create_task(pool.run(10**7, work)) for _ in range(5)]
    turns = 0
    while not all(task.done() for task in running_tasks):
        await asyncio.sleep(0.001)
        turns += 1
    assert most == 2
    assert turns > 20


async def test_a_failure_is_the_callers() -> None:
    """Whatever the work raises, and its turn is free again."""

    def fails() -> None:
        raise ValueError("no")

    pool = CpuPool()
    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            await pool.run(10**7, fails)


async def test_a_body_stays_in_the_budget_until_it_is_unpacked() -> None:
    """No number of bodies that wait for their turn takes more than all uploads may have."""
    pool, memory, free = CpuPool(), UploadBudget(10**7), threading.Event()
    before = [asyncio.create_task(pool.run(10**7, free.wait)) for _ in range(2)]
    with memory.upload() as body:
        body.fill(bytes(2_000_000))
        unpacking = asyncio.create_task(pool.decode_body(body, len))
        await asyncio.sleep(0.05)
        assert (memory.held, unpacking.done()) == (2_000_000, False)
        free.set()
        assert await unpacking == 2_000_000
        assert memory.held == 0
    await asyncio.gather(*before)


class LateTurns(CpuPool):
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
    monkeypatch.setattr("gateway.app.CpuPool", lambda: turns)
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
