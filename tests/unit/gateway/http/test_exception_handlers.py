"""Every exception becomes a problem document."""

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
    """Errors of the framework are problem documents too, with a request id."""
    response = await gateway.request(method, path)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/segmentation", "POST"),
        ("/docs", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
    ],
)
async def test_a_405_names_the_allowed_methods(
    gateway: httpx.AsyncClient, path: str, allowed: str
) -> None:
    """The header Allow of a 405 names all methods of the path."""
    assert (await gateway.put(path)).headers["Allow"] == allowed


async def test_an_invalid_parameter_is_named(gateway: httpx.AsyncClient) -> None:
    """The detail names the parameter and says what is wrong."""
    response = await gateway.post("/segmentation", params={"version": "a b"})
    assert response.json()["detail"].startswith("A parameter is not valid: query version: ")


async def test_an_unexpected_exception_is_a_500_without_its_text() -> None:
    """An unexpected exception is a 500 with the request id, without the exception's text."""
    transport = httpx.ASGITransport(_broken_gateway(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as gateway:
        response = await gateway.get("/broken", headers={"X-Request-ID": "mine"})
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert response.headers["X-Request-ID"] == response.json()["request_id"] == "mine"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "secret" not in response.text
