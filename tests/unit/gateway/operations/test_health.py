"""Liveness and readiness."""

import httpx
import pytest

from tests.unit.gateway.doubles import TorchServeDouble

pytestmark = pytest.mark.anyio


async def test_the_gateway_lives_without_torchserve(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Liveness asks nobody else."""
    torchserve.down = httpx.ConnectError("refused")
    answer = await gateway.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_it_is_ready_when_the_default_version_has_workers(
    gateway: httpx.AsyncClient,
) -> None:
    """Readiness says who is ready."""
    answer = await gateway.get("/readyz")
    expected = {"status": "ready", "model": "deeplabv3", "version": "1.0", "workers": 2}
    assert (answer.status_code, answer.json()) == (200, expected)


async def test_it_is_not_ready_while_workers_load(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Another version's workers do not count."""
    torchserve.versions = {"1.0": 0, "2.0": 1}
    answer = await gateway.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable")
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize("path", ["/readyz", "/v1/models", "/v1/models/deeplabv3/labels"])
@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError])
async def test_without_torchserve_it_is_unavailable(
    gateway: httpx.AsyncClient,
    torchserve: TorchServeDouble,
    path: str,
    failure: type[httpx.RequestError],
) -> None:
    """503 with Retry-After, from every route that needs it, whether it is gone or silent."""
    torchserve.down = failure("down")
    answer = await gateway.get(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable")
    assert "Retry-After" in answer.headers
