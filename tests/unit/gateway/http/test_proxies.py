"""Tests of the gateway behind reverse proxies: client addresses, and a path prefix."""

from typing import Any

import httpx
import pytest

from tests.unit.gateway.doubles import TorchServeDouble, application, client, send

pytestmark = pytest.mark.anyio

NEAR, FAR = "10.0.0.1", "192.0.2.7"


def behind(peer: str, **settings: Any) -> httpx.AsyncClient:
    """A client whose requests come from the address ``peer``."""
    app = application(TorchServeDouble(), **settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(peer, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


async def test_rates_count_the_clients_behind_a_trusted_proxy() -> None:
    """Two clients of one proxy have a rate each."""
    async with behind(NEAR, trusted_proxies="10.0.0.0/8", rate_limit="1/minute") as gateway:
        statuses = [
            (await send(gateway, headers={"X-Forwarded-For": address})).status_code
            for address in ("198.51.100.1", "198.51.100.2", "198.51.100.1")
        ]
    assert statuses == [200, 200, 429]


@pytest.mark.parametrize("trusted", ["", "10.0.0.0/8"])
async def test_a_client_cannot_choose_its_address(trusted: str) -> None:
    """X-Forwarded-For of other peers is ignored."""
    async with behind(FAR, trusted_proxies=trusted, rate_limit="1/minute") as gateway:
        statuses = [
            (await send(gateway, headers={"X-Forwarded-For": f"198.51.100.{n}"})).status_code
            for n in range(2)
        ]
    assert statuses == [200, 429]


async def test_the_header_cannot_be_prolonged_by_a_client() -> None:
    """The last address before the trusted proxies counts."""
    async with behind(NEAR, trusted_proxies=NEAR, rate_limit="1/minute") as gateway:
        statuses = [
            (await send(gateway, headers={"X-Forwarded-For": f"203.0.113.{n}, {FAR}"})).status_code
            for n in range(2)
        ]
    assert statuses == [200, 429]


@pytest.mark.parametrize("removed", [True, False], ids=["removed", "kept"])
@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/docs", "/openapi.json"])
@pytest.mark.parametrize("prefix", ["/segserve", "/a/b", "/v1x"])
async def test_a_path_prefix_is_removed(prefix: str, path: str, removed: bool) -> None:
    """Whether the proxy removes it or not."""
    async with client(TorchServeDouble(), root_path=prefix) as gateway:
        response = await gateway.get(path if removed else prefix + path)
    assert response.status_code == 200


@pytest.mark.parametrize("prefix", ["/segserve", "/v1x"])
async def test_the_document_names_the_prefix(prefix: str) -> None:
    """Clients generated from it, and the page at /docs, send requests below the prefix."""
    async with client(TorchServeDouble(), root_path=prefix) as gateway:
        document = (await gateway.get("/openapi.json")).json()
    assert document["servers"] == [{"url": prefix}]


async def test_the_page_loads_relative_to_itself() -> None:
    """Below any prefix, also one that the gateway does not know."""
    async with client(TorchServeDouble()) as gateway:
        page = (await gateway.get("/docs")).text
    assert "url: 'openapi.json'" in page
    assert 'src="/' not in page
    assert 'href="/' not in page


async def test_access_rules_hold_below_the_prefix() -> None:
    """A prefix leads around no rule."""
    async with client(TorchServeDouble(), root_path="/segserve") as gateway:
        for path in ("/v1/admin/keys", "/segserve/v1/admin/keys"):
            assert (await gateway.get(path)).status_code == 403
        assert (await gateway.get("/segserve/segserve/v1/admin/keys")).status_code == 404


@pytest.mark.parametrize(
    ("peer", "header", "servers"),
    [
        (NEAR, "/segserve", [{"url": "/segserve"}]),
        (NEAR, "/segserve/", [{"url": "/segserve"}]),
        (NEAR, "//evil.test", None),
        (NEAR, "https://evil.test/", None),
        (NEAR, '/"><script>', None),
        (FAR, "/segserve", None),
    ],
)
async def test_x_forwarded_prefix_of_a_trusted_proxy_counts(
    peer: str, header: str, servers: list[dict[str, str]] | None
) -> None:
    """Anything that is no path, or comes from another peer, is ignored."""
    async with behind(peer, trusted_proxies=NEAR) as gateway:
        response = await gateway.get("/openapi.json", headers={"X-Forwarded-Prefix": header})
    assert response.json().get("servers") == servers


@pytest.mark.parametrize("path", ["/docs/", "/v1/models/"])
async def test_a_trailing_slash_is_no_redirect(path: str) -> None:
    """A redirect would leave the prefix."""
    async with client(TorchServeDouble()) as gateway:
        assert (await gateway.get(path)).status_code == 404


@pytest.mark.parametrize(
    "settings",
    [
        {"trusted_proxies": "proxy"},
        {"trusted_proxies": "10.0.0.1/8"},
        {"root_path": "segserve"},
        {"root_path": "/segserve/"},
        {"root_path": "//evil.test"},
        {"root_path": "/v1"},
        {"root_path": "/docs/x"},
    ],
)
def test_wrong_settings_end_the_start(settings: dict[str, Any]) -> None:
    """No name, no host bits, no path without its slash."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        application(TorchServeDouble(), **settings)


def test_every_first_part_of_a_path_is_reserved() -> None:
    """No prefix can be mistaken for a route."""
    for route in application(TorchServeDouble()).openapi()["paths"]:
        with pytest.raises(ValueError, match="root_path"):
            application(TorchServeDouble(), root_path="/" + route.split("/")[1])
