"""Browsers are told what our answers are not for, on every answer and in every case."""

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
    """Each once, and a policy that lets nobody frame the answer."""
    lists = {name: headers.get_list(name) for name in EXPECTED}
    assert lists == {name: [value] for name, value in EXPECTED.items()}
    (policy,) = headers.get_list("Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    "path", ["/healthz", "/v1/models", "/docs", "/docs/assets/swagger-ui.css", "/nope", "/metrics"]
)
async def test_every_answer_has_them(gateway: httpx.AsyncClient, path: str) -> None:
    """Whatever the route."""
    check((await gateway.get(path)).headers)


async def test_a_mask_has_them(gateway: httpx.AsyncClient) -> None:
    """A picture cannot be framed either."""
    check((await send(gateway)).headers)


async def test_a_refusal_in_front_of_the_routes_has_them(tmp_path: Any) -> None:
    """Of whoever has no key."""
    app = application(TorchServeDouble(), auth="on", keys_file=tmp_path / "keys.json")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as gateway:
        answer = await gateway.get("/v1/models")
    assert answer.status_code == 401
    check(answer.headers)


async def test_a_fault_of_ours_has_them() -> None:
    """Starlette answers it outside of every middleware."""
    app: FastAPI = application(TorchServeDouble())

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as gateway:
        answer = await gateway.get("/broken")
    assert answer.status_code == 500
    check(answer.headers)


def test_what_is_no_request_has_them_too() -> None:
    """Bytes that are not HTTP."""
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
    """Its policy names the digest of the one inline script, and no other host."""
    answer = await gateway.get("/docs")
    policy = answer.headers["Content-Security-Policy"]
    script_sources = re.search("script-src ([^;]*)", policy)
    assert script_sources is not None
    assert re.fullmatch(r"'self' 'sha256-[A-Za-z0-9+/]{43}='", script_sources[1])
    assert "//" not in policy.replace(script_sources[1], "")


def test_an_answer_keeps_a_policy_of_its_own() -> None:
    """The page of the documentation needs one."""
    headers = [(b"content-security-policy", b"default-src 'self'")]
    add_security_headers(headers)
    assert [value for name, value in headers if name == b"content-security-policy"] == [
        b"default-src 'self'"
    ]
