"""The probes."""

import asyncio

import httpx
import pytest

from gateway.torchserve.transport import Response
from tests.unit.gateway.doubles import (
    TorchServeDouble,
    application,
    client,
    mask_response,
    refused,
)

pytestmark = pytest.mark.anyio


async def test_the_gateway_lives_without_torchserve(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Liveness does not depend on TorchServe."""
    torchserve.down = httpx.ConnectError("refused")
    response = await gateway.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_it_is_ready_when_the_default_version_has_workers(
    gateway: httpx.AsyncClient,
) -> None:
    """Readiness reports the default version and its workers."""
    response = await gateway.get("/readyz")
    expected = {"status": "ready", "model": "deeplabv3", "version": "1.0", "workers": 2}
    assert (response.status_code, response.json()) == (200, expected)


async def test_it_is_not_ready_while_workers_load(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Workers of another version do not count."""
    torchserve.versions = {"1.0": 0, "2.0": 1}
    response = await gateway.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "model_unavailable")
    assert "Retry-After" in response.headers


@pytest.mark.parametrize("path", ["/readyz", "/v1/models", "/v2/models/deeplabv3"])
@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError])
async def test_without_torchserve_it_is_unavailable(
    gateway: httpx.AsyncClient,
    torchserve: TorchServeDouble,
    path: str,
    failure: type[httpx.RequestError],
) -> None:
    """What is served is a 503 with Retry-After while no agent reports it."""
    torchserve.down = failure("down")
    response = await gateway.get(path)
    assert (response.status_code, response.json()["code"]) == (503, "model_unavailable")
    assert "Retry-After" in response.headers


class EndedTorchServe(TorchServeDouble):
    """One that was killed a moment ago: its agent's last report still counts."""

    async def post(self, *_: object, **__: object) -> Response:
        """Refuse the connection."""
        raise refused()


@pytest.mark.parametrize("path", ["/readyz", "/v2/models/deeplabv3/versions/1.0/ready"])
async def test_it_is_not_ready_if_no_node_takes_a_connection(path: str) -> None:
    """As after a power failure: what was reported last is of before."""
    async with client(EndedTorchServe()) as gateway:
        response = await gateway.get(path)
    assert (response.status_code, response.json()["code"]) == (503, "model_unavailable")
    assert "No inference server with version 1.0" in response.json()["detail"]


async def test_labels_need_no_torchserve(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """They are in the registry."""
    torchserve.down = httpx.ConnectError("down")
    response = await gateway.get("/v1/models/deeplabv3/labels")
    assert (response.status_code, len(response.json()["labels"])) == (200, 2)


READY = ["/readyz", "/v2/health/ready", "/v2/models/deeplabv3/ready"]


@pytest.mark.parametrize("path", READY)
async def test_it_is_not_ready_while_no_worker_answers(
    torchserve: TorchServeDouble, path: str
) -> None:
    """TorchServe calls hung workers ready; an image that waits for them says otherwise."""
    gate = asyncio.Event()

    async def hang(_: httpx.Request) -> httpx.Response:
        await gate.wait()
        return mask_response()

    torchserve.predict = hang
    async with client(torchserve, unresponsive_s=0.2) as gateway:
        files = {"file": ("a.png", b"an image")}
        image = asyncio.create_task(gateway.post("/segmentation", files=files))
        assert (await gateway.get(path)).status_code == 200
        torchserve.workers_answer.clear()
        await asyncio.sleep(0.3)
        await _until(gateway, path, 503)
        refusal = await gateway.get(path)
        assert refusal.json()["code"] == "model_unavailable"
        assert "no worker has answered for" in refusal.json()["detail"]
        gate.set()
        assert (await image).status_code == 200
        torchserve.workers_answer.set()
        await _until(gateway, path, 200)


@pytest.mark.parametrize("path", READY)
async def test_it_is_not_ready_without_traffic_either(
    torchserve: TorchServeDouble, path: str
) -> None:
    """The probe asks by itself, and never more often than there are workers."""
    torchserve.workers_answer.clear()
    async with client(torchserve, unresponsive_s=0.5) as gateway:
        await _until(gateway, path, 503)
        for _ in range(20):
            assert (await gateway.get(path)).status_code == 503
        assert 1 <= torchserve.probes <= torchserve.versions["1.0"]
        torchserve.workers_answer.set()
        await _until(gateway, path, 200)


async def test_metrics_know_hung_workers(torchserve: TorchServeDouble) -> None:
    """The alert for a model that is not available fires for them."""
    torchserve.workers_answer.clear()
    async with client(torchserve, unresponsive_s=0.5) as gateway:
        await _until(gateway, "/readyz", 503)
        text = (await gateway.get("/metrics")).text
    assert 'segserve_model_ready{model="deeplabv3"} 0.0' in text


@pytest.mark.parametrize("path", READY)
async def test_it_is_not_ready_while_it_stops(torchserve: TorchServeDouble, path: str) -> None:
    """Every readiness goes down first."""
    app = application(torchserve)
    app.state.is_stopping = True
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as gateway:
        response = await gateway.get(path)
    assert (response.status_code, response.json()["code"]) == (503, "model_unavailable")


async def _until(gateway: httpx.AsyncClient, path: str, status: int) -> None:
    """Poll a probe until it has a status."""
    async with asyncio.timeout(10):
        while (await gateway.get(path)).status_code != status:
            await asyncio.sleep(0.05)
