"""POST /v1/segment on real TorchServe: every render agrees with the mask, and so does the batch."""

import io
import json
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

from tests.stack import ROOT

EXAMPLES = ROOT / "ui" / "examples"
ASTRONAUT = EXAMPLES / "astronaut.jpg"
PERSON, CAT = 15, 8


def segment(gateway: httpx.Client, accept: str = "image/png", **query: Any) -> httpx.Response:
    """Segment the astronaut, with the given render."""
    headers = {"Content-Type": "image/jpeg", "Accept": accept}
    data = ASTRONAUT.read_bytes()
    answer = gateway.post("/v1/segment", params=query, content=data, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def pixels(answer: httpx.Response) -> NDArray[np.uint8]:
    """The pixels of a PNG response."""
    return np.asarray(Image.open(io.BytesIO(answer.content)))


@pytest.fixture(scope="module")
def ids(stack: Any) -> NDArray[np.uint8]:
    """The astronaut's class ids, from the drop-in endpoint."""
    with ASTRONAUT.open("rb") as file:
        answer = httpx.post(f"{stack.gateway_url}/segmentation", files={"file": file}, timeout=30)
    return pixels(answer)


@pytest.fixture(scope="module")
def photograph() -> NDArray[np.uint8]:
    """The astronaut's pixels."""
    return np.asarray(Image.open(ASTRONAUT).convert("RGB"))


def test_labels_are_the_drop_in_endpoints(gateway: httpx.Client, ids: NDArray[np.uint8]) -> None:
    """Both endpoints give the same class ids."""
    assert np.array_equal(pixels(segment(gateway, render="labels")), ids)


def test_chosen_classes_are_left_in_the_mask(gateway: httpx.Client, ids: NDArray[np.uint8]) -> None:
    """All other classes become background."""
    chosen = pixels(segment(gateway, render="labels", classes="person"))
    assert np.array_equal(chosen, np.where(ids == PERSON, PERSON, 0))


def test_a_cut_out_is_the_photograph_where_the_class_is(
    gateway: httpx.Client, ids: NDArray[np.uint8], photograph: NDArray[np.uint8]
) -> None:
    """Compared pixel by pixel."""
    cut = pixels(segment(gateway, render="cutout", classes="person"))
    assert np.array_equal(cut[..., 3] == 255, ids == PERSON)
    assert np.array_equal(cut[ids == PERSON][:, :3], photograph[ids == PERSON])


def test_an_overlay_tints_what_was_found(
    gateway: httpx.Client, ids: NDArray[np.uint8], photograph: NDArray[np.uint8]
) -> None:
    """The rest of the photograph is unchanged."""
    drawn = pixels(segment(gateway, render="overlay", opacity=0.5)).astype(int)
    assert np.array_equal(drawn[ids == 0], photograph[ids == 0])
    expected = photograph[ids == PERSON] / 2 + np.array([15, 120, 210]) / 2
    assert np.abs(drawn[ids == PERSON] - expected).max() <= 0.5


def test_the_model_is_less_sure_along_edges(gateway: httpx.Client, ids: NDArray[np.uint8]) -> None:
    """Confidence is lower where the class changes from one pixel to the next."""
    sure = pixels(segment(gateway, render="confidence")).astype(float)
    edges = ids[:, 1:] != ids[:, :-1]
    assert sure.shape == ids.shape
    assert sure[:, 1:][edges].mean() < 0.7 * sure.mean()


def test_json_agrees_with_the_mask(gateway: httpx.Client, ids: NDArray[np.uint8]) -> None:
    """Counts, boxes and run lengths agree; confidences are plausible."""
    document = segment(gateway, "application/json", polygons="true").json()
    assert {found["id"] for found in document["classes"]} == set(np.unique(ids).tolist())
    for found in document["classes"]:
        mask = ids == found["id"]
        rows, columns = np.nonzero(mask)
        x, y, width, height = found["bbox"]
        assert np.array_equal(coco.decode(found["rle"]), mask)
        assert found["pixels"] == mask.sum()
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width - 1, y + height - 1) == (columns.max(), rows.max())
        assert 1 / 21 < found["mean_confidence"] <= 1
        assert found["polygons"]
    person = next(found for found in document["classes"] if found["id"] == PERSON)
    assert person["mean_confidence"] > document["confidence"] - 0.1
    assert set(document["timings_ms"]) >= {"decode", "infer", "encode", "total"}


def test_a_batch_gives_what_its_files_give_alone(gateway: httpx.Client) -> None:
    """A file that is no image does not affect the others."""
    names = ["astronaut.jpg", "SOURCES.md", "cat.jpg", "coffee.jpg"]
    files = [("file", (name, (EXAMPLES / name).read_bytes())) for name in names]
    answer = gateway.post("/v1/segment/batch", files=files)
    lines = sorted(
        (json.loads(line) for line in answer.text.splitlines()), key=lambda e: e["index"]
    )
    assert [(line["name"], line["status"]) for line in lines] == [
        ("astronaut.jpg", 200),
        ("SOURCES.md", 422),
        ("cat.jpg", 200),
        ("coffee.jpg", 200),
    ]
    alone = segment(gateway, "application/json").json()
    assert lines[0]["result"]["classes"] == alone["classes"]
    assert CAT in {found["id"] for found in lines[2]["result"]["classes"]}


def test_a_large_photograph_has_every_form(gateway: httpx.Client) -> None:
    """Twelve megapixels, decoded at an eighth of their size for the network."""
    large = io.BytesIO()
    Image.open(ASTRONAUT).resize((3464, 3464)).save(large, "JPEG")
    for render in ("colour", "overlay", "cutout", "confidence"):
        answer = gateway.post("/v1/segment", params={"render": render}, content=large.getvalue())
        assert answer.status_code == 200
        assert pixels(answer).shape[:2] == (3464, 3464)
    accept = {"Accept": "application/json"}
    document = gateway.post("/v1/segment", content=large.getvalue(), headers=accept).json()
    assert sum(found["pixels"] for found in document["classes"]) == 3464**2
