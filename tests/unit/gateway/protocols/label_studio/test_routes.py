"""The routes that Label Studio asks, in the order in which it does."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.unit.gateway.doubles import TorchServeDouble, client, json_answer, mask_answer, mask_png
from tests.unit.gateway.protocols.label_studio.tasks import XML, tasks, uri

pytestmark = pytest.mark.anyio

PREDICT = "/v1/label-studio/predict"
SETUP = "/v1/label-studio/setup"
URI = uri(b"a photo")
QUERIES = ("", "?version=1.0")


async def test_the_back_end_is_up(gateway: httpx.AsyncClient, torchserve: TorchServeDouble) -> None:
    """As long as the gateway is."""
    torchserve.down = httpx.ConnectError("refused")
    answer = await gateway.get("/v1/label-studio/health")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "UP", "model_class": "deeplabv3"},
    )


async def test_setup_says_which_version_answers(gateway: httpx.AsyncClient) -> None:
    """The name under which predictions come, too."""
    project = {"project": "1.17", "schema": XML, "hostname": "", "access_token": "secret"}
    answer = await gateway.post(SETUP, json=project)
    assert (answer.status_code, answer.json()) == (200, {"model_version": "deeplabv3:1.0"})
    assert answer.headers["X-Model-Version"] == "1.0"


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        (SETUP, {"schema": "<View/>"}, 422),
        (SETUP, {"schema": 1}, 422),
        (SETUP, {"schema": "a" * 2**21}, 413),
        (f"{SETUP}?version=9", {}, 404),
        (f"{PREDICT}?version=9", tasks(URI), 404),
        (PREDICT, tasks() | {"tasks": None}, 422),
        (PREDICT, tasks(*[URI] * 251), 422),
        (PREDICT, tasks() | {"label_config": "<"}, 422),
    ],
)
async def test_what_is_wrong_as_a_whole_is_an_error(
    gateway: httpx.AsyncClient, path: str, fields: dict[str, Any], status: int
) -> None:
    """Label Studio shows it as the back end's error."""
    assert (await gateway.post(path, json=fields)).status_code == status


async def test_each_task_has_its_prediction(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """In the tasks' order, whichever is ready first."""

    async def predict(request: httpx.Request) -> httpx.Response:
        width = request.content[0]
        await asyncio.sleep(0.03 / width)
        return mask_answer(mask_png((width, 3)), form=request.headers["X-Segserve-Form"])

    torchserve.predict = predict
    images = [uri(bytes([width])) for width in range(1, 101)]
    answer = await gateway.post(PREDICT, json=tasks(*images))
    found = answer.json()
    widths = [each["result"][0]["original_width"] for each in found["results"]]
    assert widths == list(range(1, 101))
    assert found["model_version"] == "deeplabv3:1.0"
    assert answer.headers["X-Model"] == "deeplabv3"


async def test_no_tasks_have_no_predictions(gateway: httpx.AsyncClient) -> None:
    """Which is no error."""
    answer = await gateway.post(PREDICT, json=tasks())
    assert answer.json() == {"results": [], "model_version": "deeplabv3:1.0"}


async def test_a_version_may_be_chosen(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """By the address; what Label Studio remembers of an older one is no wish."""
    torchserve.versions = {"1.0": 1, "2.0": 1}
    answer = await gateway.post(f"{PREDICT}?version=2.0", json=tasks(URI))
    assert answer.json()["results"][0]["model_version"] == "deeplabv3:2.0"
    assert answer.headers["X-Model-Version"] == "2.0"


async def test_the_version_that_is_named_is_the_one_that_answers(
    torchserve: TorchServeDouble,
) -> None:
    """Also if another one becomes the default while the tasks arrive."""
    torchserve.versions = {"1.0": 1, "2.0": 1}
    whole = json.dumps(tasks(URI, "no image")).encode()

    async def arriving() -> AsyncIterator[bytes]:
        yield whole[:50]
        await asyncio.sleep(0.01)
        torchserve.default = "2.0"
        yield whole[50:]

    async with client(torchserve, catalogue_ttl_s=0) as gateway:
        await gateway.post(SETUP, json={})
        answer = await gateway.post(PREDICT, content=arriving())
    found = answer.json()
    named = [found["model_version"], *(each["model_version"] for each in found["results"])]
    asked = [request.url.path for request in torchserve.predictions]
    assert (named, asked) == (["deeplabv3:2.0"] * 3, ["/predictions/deeplabv3/2.0"])
    assert answer.headers["X-Model-Version"] == "2.0"


async def test_a_default_version_that_is_removed_meanwhile_is_not_the_clients_fault(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """It named none; whoever named one is told that it is unknown."""

    async def forget(_: httpx.Request) -> httpx.Response:
        return json_answer(404, {"code": 404, "type": "ModelVersionNotFoundException"})

    torchserve.predict = forget
    answers = [await gateway.post(f"{PREDICT}{which}", json=tasks(URI)) for which in QUERIES]
    assert [each.status_code for each in answers] == [503, 404]
    assert "Retry-After" in answers[0].headers


async def test_predictions_go_on_while_the_management_api_is_silent(
    torchserve: TorchServeDouble,
) -> None:
    """With the version and the names that were known last."""
    async with client(torchserve, catalogue_ttl_s=0.001) as gateway:
        await gateway.post(PREDICT, json=tasks(URI))
        torchserve.answers.clear()
        answer = await gateway.post(PREDICT, json=tasks(URI))
        torchserve.answers.set()
    assert [len(each["result"]) for each in answer.json()["results"]] == [1]
