"""The routes under /v1/models."""

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
