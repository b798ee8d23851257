"""Predictions for several tasks of Label Studio."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import httpx
import numpy as np
import pytest

from gateway.masks.grey_png import encode_grey
from tests.unit.gateway.doubles import (
    TorchServeDouble,
    application,
    client,
    json_response,
    mask_response,
)
from tests.unit.gateway.protocols.label_studio.tasks import tasks, uri

pytestmark = pytest.mark.anyio

PREDICT = "/v1/label-studio/predict"
URI = uri(b"a photo")


async def test_an_image_that_fails_harms_no_other(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """An image that the gateway or the model refuses fails its own task only."""

    async def predict(request: httpx.Request) -> httpx.Response:
        if request.content == b"damaged":
            return json_response(422, {"code": "unreadable_image", "detail": "It is damaged."})
        return mask_response(form=request.headers["X-Segserve-Form"])

    torchserve.predict = predict
    images = (URI, "http://127.0.0.1/a.jpg", uri(b"damaged"), URI)
    results = (await gateway.post(PREDICT, json=tasks(*images))).json()["results"]
    assert [len(each["result"]) for each in results] == [1, 0, 0, 1]
    assert [each["error"] for each in results][::3] == [None, None]
    assert "Nothing is fetched" in results[1]["error"]
    assert results[2]["error"] == "It is damaged."
    assert len(torchserve.predictions) == 3


async def test_a_service_that_fails_fails_the_request(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """A failure of the service fails the request: Label Studio would store empty predictions."""
    cancelled: list[bytes] = []

    async def predict(request: httpx.Request) -> httpx.Response:
        if request.content == b"first":
            return json_response(503, {"code": 503, "type": "InternalServerException"})
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(request.content)
            raise
        return mask_response()

    torchserve.predict = predict
    response = await gateway.post(PREDICT, json=tasks(uri(b"other"), uri(b"first")))
    assert (response.status_code, response.json()["code"]) == (503, "model_unavailable")
    assert "Retry-After" in response.headers
    assert cancelled == [b"other"]


async def test_few_tasks_of_a_request_are_computed_at_once(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """At most eight images of a request are at the model at once."""
    running = most = 0

    async def predict(request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return mask_response(form=request.headers["X-Segserve-Form"])

    torchserve.predict = predict
    assert (await gateway.post(PREDICT, json=tasks(*[URI] * 40))).status_code == 200
    assert most == 8


async def test_a_request_may_be_as_large_as_the_budget(torchserve: TorchServeDouble) -> None:
    """A request may fill the upload budget, and returns all of it."""
    limits = {"max_image_bytes": 100_000, "max_buffered_bytes": 300_000}
    images = [uri(bytes([1]) * 65_000)] * 3
    async with client(torchserve, **limits) as gateway:
        statuses = [(await gateway.post(PREDICT, json=tasks(*images))).status_code for _ in "abc"]
        refused = await gateway.post(PREDICT, json=tasks(*images, URI, "a" * 50_000))
    assert statuses == [200, 200, 200]
    assert (refused.status_code, refused.json()["code"]) == (413, "image_too_large")


async def test_predictions_are_held_in_the_budget_too(torchserve: TorchServeDouble) -> None:
    """Predictions count against the upload budget, because strokes can be larger than images."""
    chequered = encode_grey((np.indices((200, 200)).sum(axis=0) % 2 * 15).astype(np.uint8))

    async def predict(request: httpx.Request) -> httpx.Response:
        return mask_response(chequered, form=request.headers["X-Segserve-Form"])

    torchserve.predict = predict
    limits = {"max_image_bytes": 100_000, "max_buffered_bytes": 500_000}
    async with client(torchserve, **limits) as gateway:
        (one, many) = [await gateway.post(PREDICT, json=tasks(*[URI] * n)) for n in (1, 20)]
        metrics = (await gateway.get("/metrics")).text
    assert (one.status_code, 100_000 < len(one.content) < 500_000) == (200, True)
    assert (many.status_code, many.json()["code"]) == (503, "overloaded")
    assert "Send fewer tasks" in many.json()["detail"]
    assert "\nsegserve_upload_buffer_bytes 0.0\n" in metrics


async def test_nothing_is_computed_for_a_client_that_has_left(torchserve: TorchServeDouble) -> None:
    """After a disconnect no further image is sent to the model."""
    body = json.dumps(tasks(*[URI] * 20)).encode()
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> MutableMapping[str, Any]:
        return next(messages, {"type": "http.disconnect"})

    async def send(_: MutableMapping[str, Any]) -> None:
        """The client is gone."""

    scope = {"type": "http", "method": "POST", "path": PREDICT, "query_string": b"", "headers": []}
    await application(torchserve)(scope, receive, send)
    assert (next(messages, None), torchserve.predictions) == (None, [])
