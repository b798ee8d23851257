"""The routes under /v1/models."""

from typing import Any

import httpx
import pytest

from tests.unit.gateway.doubles import STARTED, TorchServeDouble, client

pytestmark = pytest.mark.anyio


async def test_models_lists_what_is_served(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The list has every version, the default, and readiness."""
    torchserve.versions = {"1.0": 2, "1.1": 0}
    first = {
        "version": "1.0",
        "default": True,
        "ready": True,
        "workers": 2,
        "loaded_at": STARTED.replace("678Z", "678000Z"),
    }
    second = {"version": "1.1", "default": False, "ready": False, "workers": 0, "loaded_at": None}
    model = {"name": "deeplabv3", "default_version": "1.0", "versions": [first, second]}
    assert (await gateway.get("/v1/models")).json() == {"models": [model]}


@pytest.mark.parametrize("query", ["", "?version=1.0"])
async def test_the_labels_have_a_name_and_colours_for_every_class(
    gateway: httpx.AsyncClient, query: str
) -> None:
    """Names come from the archive, colours from the gateway's palettes."""
    response = await gateway.get(f"/v1/models/deeplabv3/labels{query}")
    colours = [
        {"seed": "#000000", "voc": "#000000", "safe": "#000000"},
        {"seed": "#0f78d2", "voc": "#c08080", "safe": "#f1ca73"},
    ]
    assert response.json() == {
        "model": "deeplabv3",
        "version": "1.0",
        "labels": [
            {"id": 0, "name": "background", "colours": colours[0]},
            {"id": 15, "name": "person", "colours": colours[1]},
        ],
    }
    assert (response.headers["X-Model"], response.headers["X-Model-Version"]) == (
        "deeplabv3",
        "1.0",
    )


async def test_unchanged_labels_are_a_304(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """A client with the current labels gets an empty 304."""
    url = "/v1/models/deeplabv3/labels"
    first = await gateway.get(url)
    tag = first.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = await gateway.get(url, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag
    torchserve.labels = {"0": "background", "15": "human"}
    async with client(torchserve) as other:
        changed = await other.get(url, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["labels"][1]["name"]) == (200, "human")


LABELS = {"0": "background", "1": "crack"}
ABOUT = {
    "spec": {
        "architecture": "deeplabv3_resnet50",
        "input": {"fit": "short_side", "long_side": 2048, "short_side": 520, "multiple": 1},
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "channels": "bgr",
        "output": "sigmoid",
        "threshold": 0.3,
    },
    "provenance": {
        "built": "2026-11-23T07:40:02+00:00",
        "weights": {"origin": "the user's checkpoint cracks.pth", "sha256": "ab" * 32},
        "agreement_with_eager": {"cat.jpg": 1.0, "coffee.jpg": 0.5},
        "input": {"size": "--size"},
    },
    "card": {
        "name": "Cracks",
        "classes": {"crack": {"name": "Riss", "colour": "#d55e00"}},
        "examples": ["a.jpg"],
    },
}


async def test_a_version_is_described(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Its card, its input with the sources, and the proof of its export."""
    torchserve.about, torchserve.labels = ABOUT, LABELS
    body = (await gateway.get("/v1/models/deeplabv3/versions/1.0")).json()
    assert body["card"]["name"] == "Cracks"
    assert body["card"]["purpose"] is None
    assert body["card"]["classes"] == [
        {"id": 0, "name": "background", "display_name": "background", "colour": None},
        {"id": 1, "name": "crack", "display_name": "Riss", "colour": "#d55e00"},
    ]
    assert body["input"]["fit"] == "short_side"
    assert body["input"]["sources"] == {"size": "--size"}
    assert (body["input"]["channels"], body["threshold"]) == ("bgr", 0.3)
    assert body["proof"]["agreement"] == 0.75
    assert body["built"] == "2026-11-23T07:40:02Z"
    assert body["weights_sha256"] == "ab" * 32


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"spec": None, "provenance": None, "card": None},
        {
            "spec": {"input": [1], "mean": "x", "threshold": "high", "architecture": 7},
            "provenance": {"built": "yesterday", "weights": 3, "agreement_with_eager": {"a": "b"}},
            "card": {"name": {}, "classes": ["a"], "examples": {"a": 1}},
        },
    ],
    ids=["older", "without files", "of other types"],
)
async def test_what_an_archive_does_not_say_is_null(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, about: dict[str, Any]
) -> None:
    """Archives may be of any origin."""
    torchserve.about, torchserve.labels = about, {"0": "background"}
    response = await gateway.get("/v1/models/deeplabv3/versions/1.0")
    body = response.json()
    assert response.status_code == 200
    assert (body["architecture"], body["built"], body["card"]["name"]) == (None, None, None)
    assert (body["input"]["mean"], body["proof"]["agreement"]) == ([], None)
    assert len(body["card"]["classes"]) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models/other/versions/1.0", 404),
        ("/v1/models/deeplabv3/versions/9.9", 404),
        ("/v1/models/deeplabv3/versions/%20", 422),
    ],
)
async def test_an_unknown_version_has_no_description(
    gateway: httpx.AsyncClient, path: str, status: int
) -> None:
    """As everywhere: 404 for what is not registered, 422 for what cannot be."""
    assert (await gateway.get(path)).status_code == status
