"""Tests of the names to which the gateway answers while keys are not required."""

from typing import Any

import pytest

from tests.unit.gateway.doubles import TorchServeDouble, client

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8000",
        "10.0.0.5:80",
        "[::1]",
        "[::1]:8000",
        "LocalHost:8000",
        "gateway:8000",
        "my-machine",
        "segserve.localhost",
        "",
    ],
)
async def test_addresses_and_local_names_are_answered(host: str) -> None:
    """No other site can own them."""
    async with client(TorchServeDouble()) as gateway:
        response = await gateway.get("/v1/models", headers={"Host": host})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "evil.test:8000",
        "127.0.0.1.evil.test",
        "localhost.evil.test",
        "evil.test:127.0.0.1",
        "[broken",
        "localhost.",
        "127.1",
        "::1",
        "evil.testlocalhost",
        ".localhost",
        "*",
    ],
)
async def test_other_names_are_refused(host: str) -> None:
    """The response names the setting, not the host."""
    async with client(TorchServeDouble()) as gateway:
        response = await gateway.get("/metrics", headers={"Host": host})
    assert response.status_code == 421
    assert "SEGSERVE_GATEWAY_HOSTS" in response.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "host"),
    [
        ({"hosts": "a.test, seg.example.org,"}, "a.test:8000"),
        ({"hosts": "Seg.example.org"}, "seg.example.ORG"),
        ({"hosts": "*"}, "evil.test"),
        ({"host": "machine.example", "auth": "off"}, "machine.example:8000"),
        ({"published_host": "machine.example", "auth": "off"}, "machine.example"),
    ],
)
async def test_names_of_the_settings_are_answered(changes: dict[str, Any], host: str) -> None:
    """The operator's names, and the one at which it listens."""
    async with client(TorchServeDouble(), **changes) as gateway:
        response = await gateway.get("/v1/models", headers={"Host": host})
    assert response.status_code == 200


async def test_a_client_without_a_name_is_no_browser() -> None:
    """HTTP/1.0 needs no Host; probes of old proxies send none."""
    async with client(TorchServeDouble()) as gateway:
        request = gateway.build_request("GET", "/healthz")
        del request.headers["Host"]
        assert (await gateway.send(request)).status_code == 200
