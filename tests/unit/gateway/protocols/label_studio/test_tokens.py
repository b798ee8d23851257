"""Keys of Label Studio, as a server on a real socket sees them."""

import pytest
from starlette.responses import JSONResponse, Response

from tests.unit.gateway.doubles import TorchServeDouble, client
from tests.unit.gateway.protocols.label_studio.label_studio_double import (
    PREDICT,
    REFRESH_KEY,
    LabelStudioDouble,
    endless,
    predict,
    redirect,
    settings_for,
)
from tests.unit.gateway.protocols.label_studio.tasks import tasks

pytestmark = pytest.mark.anyio

FILE = "/data/upload/3/x.jpg"


async def test_a_refresh_token_is_exchanged_once(
    torchserve: TorchServeDouble, studio: LabelStudioDouble, url: str
) -> None:
    """All images of a request share an access token, and it is used for the next request too."""
    async with client(torchserve, **settings_for(url, REFRESH_KEY)) as gateway:
        for _ in "ab":
            await predict(gateway, *[FILE] * 20)
    assert (studio.refreshes, len(studio.requests)) == (1, 41)


async def test_an_access_token_that_expires_is_renewed(
    torchserve: TorchServeDouble, studio: LabelStudioDouble, url: str
) -> None:
    """In the middle of a request too; no image fails for it."""
    studio.valid_for = 50
    async with client(torchserve, **settings_for(url, REFRESH_KEY)) as gateway:
        results = await predict(gateway, *[FILE] * 200)
    assert [each["error"] for each in results] == [None] * 200
    assert studio.refreshes >= 4


@pytest.mark.parametrize("key", ["wrong", "eyJhbGciOiJI.eyJ0b2tlbl90eXBl.d3Jvbmc"])
async def test_a_key_that_is_refused_fails_the_request(
    torchserve: TorchServeDouble, url: str, key: str
) -> None:
    """The error names the setting and not the key."""
    async with client(torchserve, **settings_for(url, key)) as gateway:
        response = await gateway.post(PREDICT, json=tasks(FILE))
    assert (response.status_code, response.json()["code"]) == (503, "source_unavailable")
    assert "SEGSERVE_GATEWAY_LABEL_STUDIO_API_KEY" in response.json()["detail"]
    assert key not in response.text
    assert "Retry-After" in response.headers


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({}),
        JSONResponse([1]),
        JSONResponse({"access": 1}),
        JSONResponse({"access": "a b\r\nc"}),
        Response("a page"),
        Response(b"\xff\xfe"),
        endless(b"x" * 1000),
        redirect("http://127.0.0.1:1/"),
        Response(status_code=503),
    ],
)
async def test_a_token_service_that_lies_fails_the_request(
    torchserve: TorchServeDouble, studio: LabelStudioDouble, url: str, answer: Response
) -> None:
    """Anything but an access token is an error of the source, never one of the gateway."""
    studio.refresh_response = answer
    async with client(torchserve, **settings_for(url, REFRESH_KEY)) as gateway:
        response = await gateway.post(PREDICT, json=tasks(FILE))
    assert (response.status_code, response.json()["code"]) == (503, "source_unavailable")
    assert studio.requests == ["/api/token/refresh/"]
