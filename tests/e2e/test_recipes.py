"""The recipes of docs/recipes.md, run as written, and their results."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
import shapely
from PIL import Image

from gateway.keys.store import KeyStore
from tests.e2e.gateways import second_gateway
from tests.e2e.recipe_pages import RUNNABLE, Code, recipes, run, workplace
from tests.key_store import folder_of, key_store
from tests.stack import Stack

PAGE: Final = recipes()
# Heading -> what its blocks print, among other things.
PRINTED: Final = {
    "A colour map": [],
    "The class of each pixel, in NumPy": ["background ", "cat "],
    "An overlay": [],
    "Cut out a person": [],
    "What is in the image": ["person ", "% of the picture, confidence 0."],
    "COCO annotations": ["8 ", " pixels"],
    "Outlines as GeoJSON": ["cat ", " parts, "],
    "Where the model is unsure": ["confidence 0.", "% of the pixels"],
    "A folder in one request": ["cat.jpg [", "'cat'", "astronaut.jpg [", "'person'"],
    "From JavaScript": ["cat ", " % #08fbf8"],
    "A typed client of your own": ["1.0\n", "'cat'", "coffee.jpg 200"],
    "Today's statistics": ['segserve_images_total{model="deeplabv3",version="1.0"} '],
}
# File that a recipe writes -> the picture's mode.
IMAGES: Final = {
    "A colour map": {"mask.png": "P", "safe.png": "P"},
    "An overlay": {"overlay.png": "RGB"},
    "Cut out a person": {"person.png": "RGBA", "person-on-blue.jpg": "RGB"},
    "Where the model is unsure": {"look-here.png": "L"},
    "A typed client of your own": {"mask.png": "P", "person.png": "RGBA"},
}
BUSY, KEYED = "When the service is busy", "With a key"
OTHERS = "Hugging Face, Triton, KServe, Label Studio"

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="node is not installed: apt-get install nodejs"
)


def _runnable(heading: str) -> list[Code]:
    return [code for code in PAGE[heading] if code.language in RUNNABLE]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder in which recipes run."""
    place = tmp_path / "root"
    place.mkdir()
    return workplace(place)


@pytest.mark.parametrize(
    "heading",
    [
        pytest.param(heading, marks=needs_node if heading == "From JavaScript" else ())
        for heading in PRINTED
    ],
)
def test_a_recipe_works_as_it_stands(stack: Stack, folder: Path, heading: str) -> None:
    """The blocks run one after the other; their output and images are as documented."""
    httpx.get(f"{stack.gateway_url}/metrics")  # from then on images are counted
    output = "".join(run(code, stack.gateway_url, folder, {}) for code in _runnable(heading))
    assert [text for text in PRINTED[heading] if text not in output] == [], output
    written = IMAGES.get(heading, {})
    assert {name: Image.open(folder / name).mode for name in written} == written


def test_the_outlines_are_a_map_of_valid_shapes(stack: Stack, folder: Path) -> None:
    """Any reader of GeoJSON can draw them."""
    for code in _runnable("Outlines as GeoJSON"):
        run(code, stack.gateway_url, folder, {})
    features = json.loads((folder / "cat.geojson").read_text())["features"]
    shapes = [shapely.from_geojson(json.dumps(each["geometry"])) for each in features]
    assert [each["properties"]["name"] for each in features] == ["background", "cat"]
    assert all(shape.is_valid and shape.area > 0 for shape in shapes)


def test_a_client_that_honours_retry_after_gets_all_answers(stack: Stack, folder: Path) -> None:
    """The gateway accepts two images per second here."""
    (code,) = _runnable(BUSY)
    with second_gateway(stack, RATE_LIMIT="2/second") as url:
        output = run(code, url, folder, {})
        refused = httpx.get(f"{url}/metrics").text
    assert len(output.splitlines()) == len(list((folder / "ui" / "examples").glob("*.jpg")))
    assert 'segserve_errors_total{code="too_many_requests"}' in refused


@pytest.fixture
def keys(stack: Stack) -> Iterator[KeyStore]:
    """The product's key store, with the operator's key."""
    store = key_store(stack.data_dir)
    operator, _ = store.add("operator", "admin")
    yield store
    store.revoke(operator.id)


@pytest.fixture
def guarded(stack: Stack, keys: KeyStore) -> Iterator[str]:
    """A gateway that requires keys."""
    assert keys.read()
    with second_gateway(stack, AUTH="on") as url:
        yield url


def test_a_key_opens_the_gateway(guarded: str, keys: KeyStore, folder: Path) -> None:
    """The recipe creates, uses and revokes it."""
    (code,) = _runnable(KEYED)
    assert httpx.post(f"{guarded}/segmentation").status_code == 401
    run(code, guarded, folder, {"SEGSERVE_GATEWAY_DATA_DIR": str(folder_of(keys))})
    assert Image.open(folder / "mask.png").mode == "P"
    assert [key.name for key in keys.read()] == ["operator"]


def test_every_recipe_is_run() -> None:
    """Every recipe is in the tables above; other sections have no code."""
    assert {heading for heading in PAGE if PAGE[heading]} == {*PRINTED, BUSY, KEYED}
    assert set(PAGE) - set(PRINTED) == {BUSY, KEYED, OTHERS}
    tags = {code.language for blocks in PAGE.values() for code in blocks}
    assert tags == {*RUNNABLE, "html", "promql"}  # those two in tests/browser and tests/telemetry
