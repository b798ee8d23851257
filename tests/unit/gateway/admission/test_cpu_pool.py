"""Work on many pixels does not block the event loop."""

import asyncio
import base64
import re
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.admission.cpu_pool import CpuPool, T
from gateway.admission.upload_budget import UploadBudget
from tests.unit.gateway.doubles import TorchServeDouble, client
from tests.unit.gateway.protocols.label_studio.tasks import tasks as predict_request
from tests.unit.gateway.protocols.label_studio.tasks import uri

pytestmark = pytest.mark.anyio

PHOTO = base64.b64encode(b"a photo").decode()
TENSOR = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [PHOTO]}
REQUESTS = [
    ("/v1/hf/deeplabv3", {"inputs": PHOTO}),
    ("/v2/models/deeplabv3/infer", {"inputs": [TENSOR]}),
    ("/v1/label-studio/predict", predict_request(uri(b"a photo"))),
]


@pytest.mark.parametrize(("cost", "inline"), [(640 * 480, True), (12_000_000, False)])
async def test_only_large_work_is_moved_to_a_thread(cost: int, inline: bool) -> None:
    """Small work runs inline, because handing it to a thread takes as long."""
    thread = await CpuPool().run(cost, threading.get_ident)
    assert (thread == threading.get_ident()) == inline


async def test_two_at_once_and_the_loop_goes_on() -> None:
    """The third job waits, while the event loop serves other requests."""
    pool, running, most = CpuPool(), 0, 0
    lock, release = threading.Lock(), threading.Event()

    def work() -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        released = release.wait(5)  # only the event loop can set it
        with lock:
            running -= 1
        return released

    tasks = [asyncio.create_task(pool.run(10**7, work)) for _ in range(5)]
    async with asyncio.timeout(5):
        while running < 2:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)  # time for a third one to start
    release.set()
    assert await asyncio.gather(*tasks) == [True] * 5
    assert most == 2


async def test_a_failure_is_the_callers() -> None:
    """An exception reaches the caller and frees the thread."""

    def fails() -> None:
        raise ValueError("no")

    pool = CpuPool()
    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            await pool.run(10**7, fails)


async def test_a_body_stays_in_the_budget_until_it_is_unpacked() -> None:
    """Bodies that wait for a thread cannot take more memory than the upload budget."""
    pool, budget, free = CpuPool(), UploadBudget(10**7), threading.Event()
    before = [asyncio.create_task(pool.run(10**7, free.wait)) for _ in range(2)]
    with budget.upload() as body:
        body.fill(bytes(2_000_000))
        unpacking = asyncio.create_task(pool.decode_body(body, len))
        await asyncio.sleep(0.05)
        assert (budget.held, unpacking.done()) == (2_000_000, False)
        free.set()
        assert await unpacking == 2_000_000
        assert budget.held == 0
    await asyncio.gather(*before)


class DelayedPool(CpuPool):
    """A pool whose work starts only once it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()
        self.waiting = 0

    async def run(self, cost: int, work: Callable[[], T]) -> T:
        """Run the work once the pool is released."""
        self.waiting += 1
        await self.released.wait()
        return await super().run(cost, work)


async def _held(gateway: httpx.AsyncClient) -> int:
    """The bytes of uploads that the gateway holds, from its metrics."""
    metrics = (await gateway.get("/metrics")).text
    match = re.search(r"^segserve_upload_buffer_bytes ([\d.e+]+)$", metrics, re.MULTILINE)
    return int(float(match[1])) if match else -1


@pytest.mark.parametrize(("path", "fields"), REQUESTS)
async def test_a_body_that_waits_for_a_thread_is_held_in_the_budget_and_is_no_slow_upload(
    torchserve: TorchServeDouble, monkeypatch: pytest.MonkeyPatch, path: str, fields: dict[str, Any]
) -> None:
    """Waiting for a thread takes no upload deadline; the budget is free in the end."""
    pool = DelayedPool()
    monkeypatch.setattr("gateway.serving.CpuPool", lambda: pool)
    async with client(torchserve, upload_deadline_s=0.1) as gateway:
        request = gateway.build_request("POST", path, json=fields)
        sending = asyncio.create_task(gateway.send(request))
        while not pool.waiting:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.2)
        assert await _held(gateway) == len(request.content)
        pool.released.set()
        assert (await sending).status_code == 200
        assert await _held(gateway) == 0
