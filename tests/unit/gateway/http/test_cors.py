"""Pages of other origins: none unless the settings name them."""

from typing import Any

import httpx
import pytest

from gateway.http.cors import EXPOSED
from tests.unit.gateway.doubles import TorchServeDouble, application, client, send

pytestmark = pytest.mark.anyio

OURS, FOREIGN = "https://app.test", "https://evil.test"


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    """What a browser asks before it sends."""
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,x-request-id",
    }


def allowances(answer: httpx.Response) -> dict[str, str]:
    """The headers of CORS."""
    return {n: v for n, v in answer.headers.items() if n.startswith("access-control-")}


async def test_without_the_setting_no_header_appears(gateway: httpx.AsyncClient) -> None:
    """Neither on an answer nor on a preflight."""
    assert allowances(await gateway.get("/healthz", headers={"Origin": OURS})) == {}
    answer = await gateway.options("/segmentation", headers=preflight(OURS))
    assert answer.status_code == 405
    assert allowances(answer) == {}


async def test_a_named_origin_may_ask_and_read_our_headers() -> None:
    """A key travels in a header, so cookies are not allowed."""
    async with client(TorchServeDouble(), cors_origins=OURS) as gateway:
        asked = await gateway.options("/segmentation", headers=preflight(OURS))
        answer = await send(gateway, headers={"Origin": OURS})
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == OURS
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert "authorization" in asked.headers["Access-Control-Allow-Headers"]
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_any_other_origin_may_not() -> None:
    """A preflight without an allowance is a refusal that a browser understands."""
    async with client(TorchServeDouble(), cors_origins=f"{OURS}, http://b.test:81") as gateway:
        asked = await gateway.options("/segmentation", headers=preflight(FOREIGN))
        answer = await gateway.get("/healthz", headers={"Origin": FOREIGN})
    assert (asked.status_code, asked.content) == (204, b"")
    assert "Access-Control-Allow-Origin" not in asked.headers
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_star_is_every_origin() -> None:
    """For a service that is public anyway."""
    async with client(TorchServeDouble(), cors_origins="*") as gateway:
        answer = await gateway.get("/healthz", headers={"Origin": FOREIGN})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_every_header_of_ours_can_be_read() -> None:
    """Those that the document names, beside what any script may read."""
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
