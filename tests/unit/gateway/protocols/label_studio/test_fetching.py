"""Fetched images share the upload budget."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from tests.unit.gateway.doubles import TorchServeDouble, client, mask_response
from tests.unit.gateway.protocols.label_studio.label_studio_double import (
    PREDICT,
    LabelStudioDouble,
    predict,
    settings_for,
)
from tests.unit.gateway.protocols.label_studio.tasks import tasks

pytestmark = pytest.mark.anyio

FILE = "/data/upload/3/x.jpg"
SIZE = 100_000


async def test_few_images_are_in_memory_at_once(
    torchserve: TorchServeDouble, studio: LabelStudioDouble, url: str
) -> None:
    """At most eight, however many tasks the request has."""
    studio.delay_s = 0.005
    async with client(torchserve, **settings_for(url)) as gateway:
        results = await predict(gateway, *[FILE] * 100)
    assert [each["error"] for each in results] == [None] * 100
    assert studio.most_running == 8


@pytest.mark.parametrize("images_that_fit", [1, 2, 3])
async def test_images_wait_while_others_of_the_request_hold_the_memory(
    torchserve: TorchServeDouble, studio: LabelStudioDouble, url: str, images_that_fit: int
) -> None:
    """Large images are fetched in turn; none fails, and nothing stays in the budget."""
    studio.files[FILE] = bytes(SIZE)
    held: list[int] = []

    async def predict_slowly(request: httpx.Request) -> httpx.Response:
        held.append(len(request.content))
        await asyncio.sleep(0.01)
        return mask_response(form=request.headers["X-Segserve-Form"])

    torchserve.predict = predict_slowly
    budget = images_that_fit * SIZE + 50_000
    limits: dict[str, Any] = {"max_image_bytes": SIZE, "max_buffered_bytes": budget}
    async with client(torchserve, **settings_for(url, **limits)) as gateway:
        results = await predict(gateway, *[FILE] * 30)
        metrics = (await gateway.get("/metrics")).text
    assert [(len(each["result"]), each["error"]) for each in results] == [(1, None)] * 30
    assert held == [SIZE] * 30
    assert "\nsegserve_upload_buffer_bytes 0.0\n" in metrics


async def test_memory_that_others_hold_is_not_waited_for(
    torchserve: TorchServeDouble, studio: LabelStudioDouble, url: str
) -> None:
    """The request fails with Retry-After, as any upload would."""
    studio.files[FILE] = bytes(SIZE)
    computing, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: httpx.Request) -> httpx.Response:
        computing.set()
        await go_on.wait()
        return mask_response()

    torchserve.predict = wait
    limits: dict[str, Any] = {"max_image_bytes": SIZE, "max_buffered_bytes": SIZE + 50_000}
    async with client(torchserve, **settings_for(url, **limits)) as gateway:
        other = asyncio.create_task(gateway.post("/v1/segment?render=labels", content=bytes(SIZE)))
        await computing.wait()
        response = await gateway.post(PREDICT, json=tasks(FILE))
        go_on.set()
        assert (await other).status_code == 200
    assert (response.status_code, response.json()["code"]) == (503, "overloaded")
    assert "Retry-After" in response.headers


async def test_a_failure_of_the_server_ends_the_waiting_too(
    torchserve: TorchServeDouble, studio: LabelStudioDouble, url: str
) -> None:
    """Images that wait for memory do not outlive their request."""
    studio.files[FILE] = bytes(SIZE)
    studio.files["/data/upload/3/down.jpg"] = Response(status_code=503)
    limits: dict[str, Any] = {"max_image_bytes": SIZE, "max_buffered_bytes": SIZE + 50_000}
    async with client(torchserve, **settings_for(url, **limits)) as gateway:
        sent = tasks(*[FILE] * 10, "/data/upload/3/down.jpg")
        response = await gateway.post(PREDICT, json=sent)
        metrics = (await gateway.get("/metrics")).text
    assert (response.status_code, response.json()["code"]) == (503, "source_unavailable")
    assert "\nsegserve_upload_buffer_bytes 0.0\n" in metrics
