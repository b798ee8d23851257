"""The routes under /v1/label-studio, in the order in which Label Studio calls them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.unit.gateway.doubles import (
    TorchServeDouble,
    client,
    json_response,
    mask_png,
    mask_response,
)
from tests.unit.gateway.protocols.label_studio.tasks import XML, tasks, uri

pytestmark = pytest.mark.anyio

PREDICT = "/v1/label-studio/predict"
SETUP = "/v1/label-studio/setup"
URI = uri(b"a photo")
QUERIES = ("", "?version=1.0")


async def test_the_back_end_is_up(gateway: httpx.AsyncClient, torchserve: TorchServeDouble) -> None:
    """The health route does not depend on TorchServe."""
    torchserve.down = httpx.ConnectError("refused")
    response = await gateway.get("/v1/label-studio/health")
    assert (response.status_code, response.json()) == (
        200,
        {"status": "UP", "model_class": "deeplabv3"},
    )


async def test_setup_returns_the_version(gateway: httpx.AsyncClient) -> None:
    """Setup returns the version name of later predictions."""
    project = {"project": "1.17", "schema": XML, "hostname": "", "access_token": "secret"}
    response = await gateway.post(SETUP, json=project)
    assert (response.status_code, response.json()) == (200, {"model_version": "deeplabv3:1.0"})
    assert response.headers["X-Model-Version"] == "1.0"


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        (SETUP, {"schema": "<View/>"}, 422),
        (SETUP, {"schema": 1}, 422),
        (SETUP, {"schema": "a" * 2**21}, 413),
        (f"{SETUP}?version=9", {}, 404),
        (f"{PREDICT}?version=9", tasks(URI), 404),
        (PREDICT, tasks() | {"tasks": None}, 422),
        (PREDICT, tasks(*[URI] * 1001), 422),
        (PREDICT, tasks() | {"label_config": "<"}, 422),
    ],
)
async def test_what_is_wrong_as_a_whole_is_an_error(
    gateway: httpx.AsyncClient, path: str, fields: dict[str, Any], status: int
) -> None:
    """An error that does not belong to one task has its status."""
    assert (await gateway.post(path, json=fields)).status_code == status


async def test_each_task_has_its_prediction(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Predictions are in the order of the tasks, whatever finishes first."""

    async def predict(request: httpx.Request) -> httpx.Response:
        width = request.content[0]
        await asyncio.sleep(0.03 / width)
        return mask_response(mask_png((width, 3)), form=request.headers["X-Segserve-Form"])

    torchserve.predict = predict
    images = [uri(bytes([width])) for width in range(1, 101)]
    response = await gateway.post(PREDICT, json=tasks(*images))
    body = response.json()
    widths = [each["result"][0]["original_width"] for each in body["results"]]
    assert widths == list(range(1, 101))
    assert body["model_version"] == "deeplabv3:1.0"
    assert response.headers["X-Model"] == "deeplabv3"


async def test_no_tasks_have_no_predictions(gateway: httpx.AsyncClient) -> None:
    """A request without tasks is valid."""
    response = await gateway.post(PREDICT, json=tasks())
    assert response.json() == {"results": [], "model_version": "deeplabv3:1.0"}


async def test_a_version_may_be_chosen(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The query parameter selects the version; `model_version` in the body is ignored."""
    torchserve.versions = {"1.0": 1, "2.0": 1}
    response = await gateway.post(f"{PREDICT}?version=2.0", json=tasks(URI))
    assert response.json()["results"][0]["model_version"] == "deeplabv3:2.0"
    assert response.headers["X-Model-Version"] == "2.0"


async def test_predictions_name_the_version_that_was_used(
    torchserve: TorchServeDouble,
) -> None:
    """All predictions name one version, even if the default changes while the tasks arrive."""
    torchserve.versions = {"1.0": 1, "2.0": 1}
    sent_body = json.dumps(tasks(URI, "no image")).encode()

    async def arriving() -> AsyncIterator[bytes]:
        yield sent_body[:50]
        await asyncio.sleep(0.01)
        torchserve.default = "2.0"
        yield sent_body[50:]

    async with client(torchserve) as gateway:
        await gateway.post(SETUP, json={})
        response = await gateway.post(PREDICT, content=arriving())
    body = response.json()
    names = [body["model_version"], *(each["model_version"] for each in body["results"])]
    paths = [request.url.path for request in torchserve.predictions]
    assert (names, paths) == (["deeplabv3:2.0"] * 3, ["/predictions/deeplabv3/2.0"])
    assert response.headers["X-Model-Version"] == "2.0"


async def test_a_default_version_that_is_removed_meanwhile_is_not_the_clients_fault(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The registry has the version, and the node loads it again: a 503, whichever was asked for."""

    async def forget(_: httpx.Request) -> httpx.Response:
        return json_response(404, {"code": 404, "type": "ModelVersionNotFoundException"})

    torchserve.predict = forget
    responses = [await gateway.post(f"{PREDICT}{which}", json=tasks(URI)) for which in QUERIES]
    assert [each.status_code for each in responses] == [503, 503]
    assert all("Retry-After" in each.headers for each in responses)


async def test_predictions_go_on_while_the_registry_is_away(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The last known version and labels are used."""
    torchserve.registry_answers.clear()
    response = await gateway.post(PREDICT, json=tasks(URI))
    assert [len(each["result"]) for each in response.json()["results"]] == [1]
