"""Whatever is raised, and wherever, the client gets a problem document."""

import httpx
import pytest
from fastapi import FastAPI

from tests.unit.gateway.doubles import TorchServeDouble, application

pytestmark = pytest.mark.anyio


def _broken_gateway() -> FastAPI:
    app = application(TorchServeDouble())

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError("a secret")

    return app


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/no/such/route", 404, "not_found"),
        ("GET", "/segmentation/%00%ff", 404, "not_found"),
        ("GET", "/segmentation", 405, "method_not_allowed"),
        ("BREW", "/segmentation", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("POST", "/segmentation", 422, "invalid_request"),
        ("POST", "/segmentation?version=a+b", 422, "invalid_request"),
        ("GET", "/v1/models/other/labels", 404, "not_found"),
        ("GET", "/v1/models/deeplabv3/labels?version=9.9", 404, "not_found"),
        ("GET", "/v1/models/deeplabv3/labels?version=%2e%2e", 422, "invalid_request"),
        ("GET", f"/v1/models/{'x' * 65}/labels", 422, "invalid_request"),
    ],
)
async def test_a_wrong_request_is_a_problem_document(
    gateway: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """Also where the framework decides; and it always has an id."""
    answer = await gateway.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/segmentation", "POST"),
        ("/v1/admin/keys", "GET, POST"),
        ("/v1/admin/keys/abc", "DELETE"),
        ("/docs", "GET"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    gateway: httpx.AsyncClient, path: str, allowed: str
) -> None:
    """Allow is part of a 405, and names all methods of the path."""
    assert (await gateway.put(path)).headers["Allow"] == allowed


async def test_an_invalid_parameter_is_named(gateway: httpx.AsyncClient) -> None:
    """The detail says which parameter it was, and what it may be."""
    answer = await gateway.post("/segmentation", params={"version": "a b"})
    assert answer.json()["detail"].startswith("A parameter is not valid: query version: ")


async def test_the_unforeseen_is_a_500_that_tells_nothing() -> None:
    """The id is there to find the traceback in the log; its text is not."""
    transport = httpx.ASGITransport(_broken_gateway(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as gateway:
        answer = await gateway.get("/broken", headers={"X-Request-ID": "mine"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "mine"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "secret" not in answer.text
