"""POST /v1/segment: the image by form or body, the answer by Accept and render."""

import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.unit.gateway.doubles import FORM_TYPE, TorchServeDouble, form, json_answer, part

pytestmark = pytest.mark.anyio

PHOTO = {"Content-Type": "image/jpeg"}


async def segment(gateway: httpx.AsyncClient, accept: str = "*/*", **query: Any) -> httpx.Response:
    """Sends a photograph as the body."""
    headers = PHOTO | {"Accept": accept}
    return await gateway.post("/v1/segment", params=query, content=b"a photo", headers=headers)


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"a photo", "image/jpeg"), (b"a photo", ""), (form(part(b"a photo")), FORM_TYPE)],
)
async def test_the_image_is_a_body_or_a_file(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, body: bytes, kind: str
) -> None:
    """The model gets the same bytes."""
    answer = await gateway.post("/v1/segment", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 200
    assert torchserve.predictions[0].content == b"a photo"


async def test_an_image_becomes_a_colour_map_by_default(gateway: httpx.AsyncClient) -> None:
    """As from the drop-in endpoint, and nobody keeps it."""
    answer = await segment(gateway)
    image = Image.open(io.BytesIO(answer.content))
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "no-store"
    assert (image.mode, image.size) == ("P", (4, 3))
    assert image.convert("RGB").getpixel((0, 0)) == (15, 120, 210)


async def test_the_palette_colours_the_map(gateway: httpx.AsyncClient) -> None:
    """Pascal VOC's."""
    answer = await segment(gateway, palette="voc")
    assert Image.open(io.BytesIO(answer.content)).convert("RGB").getpixel((0, 0)) == (192, 128, 128)


async def test_labels_are_grey(gateway: httpx.AsyncClient) -> None:
    """The class ids as such."""
    image = Image.open(io.BytesIO((await segment(gateway, render="labels")).content))
    assert (image.mode, image.getpixel((0, 0))) == ("L", 15)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, None),
        ({"render": "confidence"}, {"render": "confidence"}),
        ({"render": "cutout", "classes": "person"}, {"render": "cutout", "classes": [15]}),
        ({"classes": " person , 0"}, {"render": "labels", "classes": [0, 15]}),
        (
            {"render": "overlay", "opacity": "0.3"},
            {"render": "overlay", "opacity": 0.3, "colours": {"15": "0f78d2"}},
        ),
    ],
)
async def test_the_model_is_told_what_is_wanted(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, query: Any, wanted: Any
) -> None:
    """In one request to it, whatever the form."""
    assert (await segment(gateway, **query)).status_code == 200
    told = [sent.headers.get("X-Segserve-Form") for sent in torchserve.predictions]
    assert [text if text is None else json.loads(text) for text in told] == [wanted]


async def test_json_tells_what_is_known(gateway: httpx.AsyncClient) -> None:
    """Every class with its facts; the version in headers and body."""
    answer = await segment(gateway, "application/json", version="1.0", model="deeplabv3")
    told = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Model-Version"] == told["version"] == "1.0"
    assert answer.headers["X-Request-ID"] == told["request_id"]
    assert [(c["id"], c["name"], c["pixels"], c["mean_confidence"]) for c in told["classes"]] == [
        (0, "background", 9, 0.9512),
        (15, "person", 3, 0.8712),
    ]
    assert told["mask"] is None
    assert told["classes"][1]["polygons"] is None


async def test_json_has_more_on_request(gateway: httpx.AsyncClient) -> None:
    """Mask and outlines, of the chosen classes."""
    answer = await segment(
        gateway, "application/json", mask="true", polygons="true", tolerance="0", classes="person"
    )
    told = answer.json()
    assert [found["name"] for found in told["classes"]] == ["person"]
    assert told["classes"][0]["polygons"] == [[[[1, 0], [1, 3], [0, 3], [0, 0], [1, 0]]]]
    assert told["mask"].startswith("iVBOR")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "image/png"),
        ("image/*", "image/png"),
        ("text/html, */*;q=0.1", "image/png"),
        ("application/json;q=0.9, image/png;q=0.8", "application/json"),
        ("application/*", "application/json"),
    ],
)
async def test_accept_decides(gateway: httpx.AsyncClient, accept: str, kind: str) -> None:
    """PNG where the client does not mind."""
    headers = PHOTO | ({"Accept": accept} if accept else {})
    answer = await gateway.post("/v1/segment", content=b"a photo", headers=headers)
    assert answer.headers["Content-Type"] == kind


@pytest.mark.parametrize("accept", ["text/html", "image/jpeg", "nonsense", ";;;/", "a/b/c"])
async def test_other_forms_are_not_to_be_had(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, accept: str
) -> None:
    """406 before anything is computed."""
    answer = await segment(gateway, accept)
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert torchserve.predictions == []


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ({"render": "heat"}, 422, "render"),
        ({"opacity": "1.5"}, 422, "opacity"),
        ({"opacity": "nan"}, 422, "opacity"),
        ({"palette": "pink"}, 422, "palette"),
        ({"tolerance": "-1"}, 422, "tolerance"),
        ({"classes": "unicorn"}, 422, "It knows: background, person"),
        ({"classes": "person,,"}, 422, "empty name"),
        ({"classes": ""}, 422, "empty name"),
        ({"classes": "p" * 5000}, 422, "classes"),
        ({"model": "other"}, 404, "There is: deeplabv3"),
        ({"version": "9.9", "classes": "person"}, 404, "It has: 1.0"),
        ({"version": "a b"}, 422, "version"),
    ],
)
async def test_a_wrong_parameter_is_named(
    gateway: httpx.AsyncClient, query: dict[str, str], status: int, says: str
) -> None:
    """With a sentence that helps."""
    answer = await segment(gateway, **query)
    assert answer.status_code == status
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("accept", ["image/png", "application/json"])
@pytest.mark.parametrize("render", ["labels", "cutout"])
async def test_a_model_that_sends_no_picture_is_unavailable(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, accept: str, render: str
) -> None:
    """503 in every form, not a broken image."""

    async def nonsense(_: httpx.Request) -> httpx.Response:
        return json_answer(200, {"not": "a mask"})

    torchserve.predict = nonsense
    if (accept, render) == ("image/png", "labels"):
        render = "colour"
    answer = await segment(gateway, accept, render=render)
    assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable")
    assert answer.headers["X-Model-Version"] == "1.0"


async def test_the_models_verdict_is_the_clients_answer(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Also when it was too late to compute."""

    async def late(_: httpx.Request) -> httpx.Response:
        return json_answer(504, {"code": "deadline_exceeded", "detail": "Too late."})

    torchserve.predict = late
    answer = await segment(gateway)
    assert (answer.status_code, answer.json()["detail"]) == (504, "Too late.")
