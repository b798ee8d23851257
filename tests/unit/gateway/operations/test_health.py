"""The probes."""

import httpx
import pytest

from tests.unit.gateway.doubles import TorchServeDouble

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


@pytest.mark.parametrize("path", ["/readyz", "/v1/models", "/v1/models/deeplabv3/labels"])
@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError])
async def test_without_torchserve_it_is_unavailable(
    gateway: httpx.AsyncClient,
    torchserve: TorchServeDouble,
    path: str,
    failure: type[httpx.RequestError],
) -> None:
    """Routes that need TorchServe are a 503 with Retry-After if it is unreachable or silent."""
    torchserve.down = failure("down")
    response = await gateway.get(path)
    assert (response.status_code, response.json()["code"]) == (503, "model_unavailable")
    assert "Retry-After" in response.headers
