"""POST /v1/segment."""

import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.unit.gateway.doubles import FORM_TYPE, TorchServeDouble, form, json_response, part

pytestmark = pytest.mark.anyio

PHOTO = {"Content-Type": "image/jpeg"}


async def segment(gateway: httpx.AsyncClient, accept: str = "*/*", **query: Any) -> httpx.Response:
    """Send an image as the body."""
    headers = PHOTO | {"Accept": accept}
    return await gateway.post("/v1/segment", params=query, content=b"a photo", headers=headers)


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"a photo", "image/jpeg"), (b"a photo", ""), (form(part(b"a photo")), FORM_TYPE)],
)
async def test_the_image_is_a_body_or_a_file(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, body: bytes, kind: str
) -> None:
    """The model gets the same bytes from a body and from a form."""
    response = await gateway.post("/v1/segment", content=body, headers={"Content-Type": kind})
    assert response.status_code == 200
    assert torchserve.predictions[0].content == b"a photo"


async def test_an_image_becomes_a_colour_map_by_default(gateway: httpx.AsyncClient) -> None:
    """The default is the drop-in endpoint's colour map, with Cache-Control: no-store."""
    response = await segment(gateway)
    image = Image.open(io.BytesIO(response.content))
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Cache-Control"] == "no-store"
    assert (image.mode, image.size) == ("P", (4, 3))
    assert image.convert("RGB").getpixel((0, 0)) == (15, 120, 210)


@pytest.mark.parametrize("route", ["/segmentation", "/v1/segment", "/v1/segment/batch"])
@pytest.mark.parametrize(("tile", "sent"), [("auto", "auto"), ("off", "off"), ("721", 721)])
async def test_every_route_takes_tiles(
    gateway: httpx.AsyncClient,
    torchserve: TorchServeDouble,
    route: str,
    tile: str,
    sent: str | int,
) -> None:
    """The handler gets the choice with the other options."""
    body, headers = form(part(b"a photo")), {"Content-Type": FORM_TYPE}
    response = await gateway.post(route, params={"tile": tile}, content=body, headers=headers)
    assert response.status_code == 200
    assert json.loads(torchserve.predictions[0].headers["X-Segserve-Form"])["tile"] == sent


@pytest.mark.parametrize("route", ["/segmentation", "/v1/segment", "/v1/segment/batch"])
@pytest.mark.parametrize("tile", ["", "31", "10000", "on", "-64", "64.5", "AUTO"])
async def test_other_tiles_are_refused(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, route: str, tile: str
) -> None:
    """Before the model is asked."""
    body, headers = form(part(b"a photo")), {"Content-Type": FORM_TYPE}
    response = await gateway.post(route, params={"tile": tile}, content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert torchserve.predictions == []


async def test_the_palette_colours_the_map(gateway: httpx.AsyncClient) -> None:
    """`palette` selects the colours of the map."""
    response = await segment(gateway, palette="voc")
    assert Image.open(io.BytesIO(response.content)).convert("RGB").getpixel((0, 0)) == (
        192,
        128,
        128,
    )


async def test_labels_are_grey(gateway: httpx.AsyncClient) -> None:
    """`render=labels` returns the class ids as a grey PNG."""
    image = Image.open(io.BytesIO((await segment(gateway, render="labels")).content))
    assert (image.mode, image.getpixel((0, 0))) == ("L", 15)


@pytest.mark.parametrize(
    ("query", "expected"),
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
async def test_the_model_gets_the_options(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, query: Any, expected: Any
) -> None:
    """One request to the model has the render options."""
    assert (await segment(gateway, **query)).status_code == 200
    forms = [sent.headers.get("X-Segserve-Form") for sent in torchserve.predictions]
    assert [text if text is None else json.loads(text) for text in forms] == [expected]


async def test_json_has_the_facts_of_each_class(gateway: httpx.AsyncClient) -> None:
    """JSON has every class with its facts; the version is in headers and body."""
    response = await segment(gateway, "application/json", version="1.0", model="deeplabv3")
    result = response.json()
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Model-Version"] == result["version"] == "1.0"
    assert response.headers["X-Request-ID"] == result["request_id"]
    assert [(c["id"], c["name"], c["pixels"], c["mean_confidence"]) for c in result["classes"]] == [
        (0, "background", 9, 0.9512),
        (15, "person", 3, 0.8712),
    ]
    assert result["mask"] is None
    assert result["classes"][1]["polygons"] is None


async def test_json_has_more_on_request(gateway: httpx.AsyncClient) -> None:
    """Mask and polygons of the chosen classes are added on request."""
    response = await segment(
        gateway, "application/json", mask="true", polygons="true", tolerance="0", classes="person"
    )
    result = response.json()
    assert [each["name"] for each in result["classes"]] == ["person"]
    assert result["classes"][0]["polygons"] == [[[[1, 0], [1, 3], [0, 3], [0, 0], [1, 0]]]]
    assert result["mask"].startswith("iVBOR")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "image/png"),
        ("image/*", "image/png"),
        ("text/html, */*;q=0.1", "image/png"),
        ("application/json;q=0.9, image/png;q=0.8", "application/json"),
        ("application/*", "application/json"),
        (" ", "image/png"),
        ("Application/JSON", "application/json"),
        # Java's HttpURLConnection, axios, Angular.
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "image/png"),
        ("application/json, text/plain, */*", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
    ],
)
async def test_accept_decides(gateway: httpx.AsyncClient, accept: str, kind: str) -> None:
    """Accept selects PNG or JSON; without a preference it is a PNG."""
    headers = PHOTO | ({"Accept": accept} if accept else {})
    response = await gateway.post("/v1/segment", content=b"a photo", headers=headers)
    assert response.headers["Content-Type"] == kind


@pytest.mark.parametrize("accept", ["text/html", "image/jpeg", "nonsense", ";;;/", "a/b/c"])
async def test_other_media_types_are_a_406(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, accept: str
) -> None:
    """Other media types are a 406, before the model is used."""
    response = await segment(gateway, accept)
    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")
    assert torchserve.predictions == []


@pytest.mark.parametrize(
    ("query", "status", "detail"),
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
    gateway: httpx.AsyncClient, query: dict[str, str], status: int, detail: str
) -> None:
    """The detail names the parameter, or the known values."""
    response = await segment(gateway, **query)
    assert response.status_code == status
    assert detail in response.json()["detail"]


@pytest.mark.parametrize("accept", ["image/png", "application/json"])
@pytest.mark.parametrize("render", ["labels", "cutout"])
async def test_a_model_that_sends_no_image_is_unavailable(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, accept: str, render: str
) -> None:
    """A malformed image of the model is a 503 for every output form."""

    async def nonsense(_: httpx.Request) -> httpx.Response:
        return json_response(200, {"not": "a mask"})

    torchserve.predict = nonsense
    if (accept, render) == ("image/png", "labels"):
        render = "colour"
    response = await segment(gateway, accept, render=render)
    assert (response.status_code, response.json()["code"]) == (503, "model_unavailable")
    assert response.headers["X-Model-Version"] == "1.0"


async def test_the_handlers_error_is_the_response(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The handler's error is the response, also a passed deadline."""

    async def late(_: httpx.Request) -> httpx.Response:
        return json_response(504, {"code": "deadline_exceeded", "detail": "Too late."})

    torchserve.predict = late
    response = await segment(gateway)
    assert (response.status_code, response.json()["detail"]) == (504, "Too late.")
