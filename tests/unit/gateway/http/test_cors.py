"""CORS: pages of other origins have no access unless the settings name them."""

from typing import Any

import httpx
import pytest

from gateway.http.cors import EXPOSED
from tests.unit.gateway.doubles import TorchServeDouble, application, client, send

pytestmark = pytest.mark.anyio

OURS, FOREIGN = "https://app.test", "https://evil.test"


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    """The headers of a browser's preflight request."""
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,x-request-id",
    }


def allowances(response: httpx.Response) -> dict[str, str]:
    """The CORS headers of a response."""
    return {n: v for n, v in response.headers.items() if n.startswith("access-control-")}


async def test_without_the_setting_no_header_appears(gateway: httpx.AsyncClient) -> None:
    """Without the setting neither a response nor a preflight has CORS headers."""
    assert allowances(await gateway.get("/healthz", headers={"Origin": OURS})) == {}
    response = await gateway.options("/segmentation", headers=preflight(OURS))
    assert response.status_code == 405
    assert allowances(response) == {}


async def test_a_named_origin_may_ask_and_read_our_headers() -> None:
    """An origin in the settings may send requests, but without credentials."""
    async with client(TorchServeDouble(), cors_origins=OURS) as gateway:
        preflight_response = await gateway.options("/segmentation", headers=preflight(OURS))
        response = await send(gateway, headers={"Origin": OURS})
    assert preflight_response.status_code == 204
    assert preflight_response.headers["Access-Control-Allow-Origin"] == OURS
    assert "POST" in preflight_response.headers["Access-Control-Allow-Methods"]
    assert "authorization" in preflight_response.headers["Access-Control-Allow-Headers"]
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == OURS
    assert "Origin" in response.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in response.headers


async def test_any_other_origin_may_not() -> None:
    """The preflight of another origin is an empty 204 without an allowed origin."""
    async with client(TorchServeDouble(), cors_origins=f"{OURS}, http://b.test:81") as gateway:
        preflight_response = await gateway.options("/segmentation", headers=preflight(FOREIGN))
        response = await gateway.get("/healthz", headers={"Origin": FOREIGN})
    assert (preflight_response.status_code, preflight_response.content) == (204, b"")
    assert "Access-Control-Allow-Origin" not in preflight_response.headers
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_star_is_every_origin() -> None:
    """A public service can allow every origin with an asterisk."""
    async with client(TorchServeDouble(), cors_origins="*") as gateway:
        response = await gateway.get("/healthz", headers={"Origin": FOREIGN})
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_every_header_of_ours_can_be_read() -> None:
    """Scripts may read every documented response header."""
    document: dict[str, Any] = application(TorchServeDouble()).openapi()
    named = {
        name
        for operations in document["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
        for name in response.get("headers", {})
    }
    safe = {"Cache-Control", "WWW-Authenticate"}
    assert len(named) > 4
    assert named - safe <= set(EXPOSED)


@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
async def test_administration_has_no_cors(method: str) -> None:
    """No page may manage keys, whatever the origins."""
    headers = {"Origin": "https://app.test", "Access-Control-Request-Method": "POST"}
    async with client(TorchServeDouble(), cors_origins="*") as gateway:
        response = await gateway.request(method, "/v1/admin/keys", headers=headers)
    assert [name for name in response.headers if name.startswith("access-control-")] == []
