"""NaN, infinity and control characters of a model never reach a client, on any route."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.unit.gateway.doubles import (
    FORM_TYPE,
    TorchServeDouble,
    application,
    form,
    mask_png,
    part,
    serving,
)
from tests.unit.gateway.protocols.label_studio.tasks import tasks, uri

pytestmark = pytest.mark.anyio

PHOTO = base64.b64encode(b"a photo").decode()
TENSOR = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [PHOTO]}
FORM: dict[str, Any] = {"content": form(part(b"a photo")), "headers": {"Content-Type": FORM_TYPE}}
JSON = {"Content-Type": FORM_TYPE, "Accept": "application/json"}
# Route -> how an image is sent to it.
ROUTES: dict[str, dict[str, Any]] = {
    "/segmentation": FORM,
    "/v1/segment": FORM,
    "/v1/segment?render=confidence": FORM,
    "/v1/segment?polygons=true": FORM | {"headers": JSON},
    "/v1/segment/batch": FORM,
    "/v1/hf/deeplabv3": {"content": b"a photo"},
    "/v2/models/deeplabv3/infer": {"json": {"inputs": [TENSOR]}},
    "/v1/label-studio/predict": {"json": tasks(uri(b"a photo"))},
}
FACTS = {"X-Confidence": "0.9", "X-Class-Confidence": "0=0.9,15=0.8", "X-Class-Pixels": "0=9,15=3"}


def answering(**changes: str) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
    """A model that answers with a mask and these facts."""

    async def predict(_: httpx.Request) -> httpx.Response:
        facts = FACTS | {name.replace("_", "-"): value for name, value in changes.items()}
        return httpx.Response(200, content=mask_png(), headers=facts)

    return predict


def problem_in(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and detail of the problem, which batches and Label Studio carry inside."""
    fields = json.loads(response.content.splitlines()[0])
    if "results" in fields:
        return 503, "model_unavailable", fields["results"][0]["error"]
    problem = fields.get("problem", fields)
    return problem["status"], problem["code"], problem["detail"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "facts",
    [
        {"X_Confidence": "nan"},
        {"X_Confidence": "inf"},
        {"X_Confidence": "0.5\x01"},
        {"X_Class_Confidence": "0=nan,15=nan"},
        {"X_Class_Confidence": "0=0.5,15=-inf"},
        {"X_Class_Pixels": "0=9\x00"},
        {"X_Class_Pixels": "0=nan"},
    ],
    ids=str,
)
async def test_every_route_names_the_version_whose_numbers_are_none(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, route: str, facts: dict[str, str]
) -> None:
    """The same 503 `model_unavailable`, whatever was asked for."""
    torchserve.predict = answering(**facts)
    response = await gateway.post(route, **ROUTES[route])
    assert b"nan" not in response.content.lower()
    assert "nan" not in str(response.headers).lower()
    assert problem_in(response) == (
        503,
        "model_unavailable",
        "Version 1.0 answered with values that are no numbers. Choose another version.",
    )


@pytest.mark.parametrize("timing", ["infer;dur=nan", "infer;dur=1\x01", "infer;dur=1.2.3"])
@pytest.mark.parametrize("route", ROUTES)
async def test_unreadable_timings_harm_no_result(timing: str, route: str) -> None:
    """They are left out; on a real socket, a control character would end the connection."""
    torchserve = TorchServeDouble()
    torchserve.predict = answering(Server_Timing=timing)
    with serving(application(torchserve)) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as gateway:
            response = await gateway.post(route, **ROUTES[route])
    assert response.status_code == 200
    assert b"nan" not in response.content.lower()
    assert "infer" not in response.headers.get("Server-Timing", "")


@pytest.mark.parametrize("detail", ["a\ud800b", "a\x00b", "a\r\nX: y"])
async def test_any_text_of_a_model_fits_into_a_problem(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, detail: str
) -> None:
    """Lone surrogates, which JSON of Python carries, are replaced; the rest is escaped."""

    async def refuse(_: httpx.Request) -> httpx.Response:
        text = json.dumps({"code": "unreadable_image", "detail": detail})
        return httpx.Response(422, content=text.encode())

    torchserve.predict = refuse
    response = await gateway.post("/segmentation", **FORM)
    assert response.status_code == 422
    assert response.json()["detail"] == detail.replace("\ud800", "?")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "nan"])
async def test_numbers_of_clients_that_are_none_are_refused(
    gateway: httpx.AsyncClient, number: str
) -> None:
    """In parameters and in JSON bodies; the response names the field and is valid JSON."""
    for query in (f"opacity={number}", f"tolerance={number}"):
        response = await gateway.post(f"/v1/segment?{query}", **FORM)
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), query
    body = f'{{"inputs": "{PHOTO}", "parameters": {{"threshold": {number}}}}}'
    response = await gateway.post("/v1/hf/deeplabv3", content=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
