"""Security headers on every response, whatever produced it."""

import json
import re
import socket
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.http.response_headers import add_security_headers
from tests.unit.gateway.doubles import TorchServeDouble, application, send, serving

pytestmark = pytest.mark.anyio

EXPECTED = {
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def check(headers: httpx.Headers) -> None:
    """Assert that every security header is present exactly once, and framing is forbidden."""
    lists = {name: headers.get_list(name) for name in EXPECTED}
    assert lists == {name: [value] for name, value in EXPECTED.items()}
    (policy,) = headers.get_list("Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    "path", ["/healthz", "/v1/models", "/docs", "/docs/assets/swagger-ui.css", "/nope", "/metrics"]
)
async def test_every_response_has_them(gateway: httpx.AsyncClient, path: str) -> None:
    """Every route's response has the security headers."""
    check((await gateway.get(path)).headers)


async def test_a_mask_has_them(gateway: httpx.AsyncClient) -> None:
    """A response with an image has the security headers."""
    check((await send(gateway)).headers)


async def test_a_refusal_in_front_of_the_routes_has_them(tmp_path: Any) -> None:
    """A 401 of the middleware has the security headers."""
    app = application(TorchServeDouble(), auth="on", data_dir=tmp_path)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as gateway:
        response = await gateway.get("/v1/models")
    assert response.status_code == 401
    check(response.headers)


async def test_a_fault_of_ours_has_them() -> None:
    """A 500, which Starlette sends outside of every middleware, has the security headers."""
    app: FastAPI = application(TorchServeDouble())

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as gateway:
        response = await gateway.get("/broken")
    assert response.status_code == 500
    check(response.headers)


def test_the_response_to_malformed_http_has_them() -> None:
    """The response to bytes that are not HTTP has the security headers."""
    with (
        serving(application(TorchServeDouble())) as port,
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
    ):
        connection.sendall(b"\x00\x01\r\n\r\n")
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert json.loads(body)["code"] == "malformed_http"
    lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
    check(httpx.Headers([(name, value) for name, value in lines]))


async def test_the_documentation_may_run_its_own_script_only(gateway: httpx.AsyncClient) -> None:
    """The page's policy has the digest of its one inline script, and no other host."""
    response = await gateway.get("/docs")
    policy = response.headers["Content-Security-Policy"]
    script_sources = re.search("script-src ([^;]*)", policy)
    assert script_sources is not None
    assert re.fullmatch(r"'self' 'sha256-[A-Za-z0-9+/]{43}='", script_sources[1])
    assert "//" not in policy.replace(script_sources[1], "")


def test_a_response_keeps_its_own_policy() -> None:
    """A content security policy of the response's own is kept."""
    headers = [(b"content-security-policy", b"default-src 'self'")]
    add_security_headers(headers)
    assert [value for name, value in headers if name == b"content-security-policy"] == [
        b"default-src 'self'"
    ]
