"""A photograph goes in, and its true mask comes out with the facts about it."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplab import pipeline
from deeplab.decode import MAX_PIXELS, TooManyPixelsError, UnreadableImageError
from deeplab.engines import Engine, load_engine
from deeplab.pipeline import Segmentation, segment
from deeplab.spec import InputSize, Precision, read_spec
from tests.unit.handler.files import EXAMPLES, encode, quarters, turned

CAT, PERSON = 8, 15
INPUT = InputSize(long_side=513, grid=16)
STAGES = ["decode", "preprocess", "infer", "postprocess", "encode"]


class Halves:
    """A real, tiny engine: the left half is class 0, the right half class 15."""

    name = "halves"
    precision: Precision = "f32"

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(1, h, w, 3) uint8 RGB -> (h, w) uint8 class ids."""
        ids: NDArray[np.uint8] = np.zeros_like(pixels[0, :, :, 0])
        ids[:, ids.shape[1] // 2 :] = PERSON
        return ids


@pytest.fixture(scope="module")
def engine(unpacked: Path) -> Engine:
    """The bundled network."""
    return load_engine(unpacked / "network", read_spec(unpacked / "model.json"), threads=0)


def _mask(result: Segmentation) -> Image.Image:
    return Image.open(io.BytesIO(result.png))


@pytest.mark.parametrize(("photograph", "subject"), [("astronaut", PERSON), ("cat", CAT)])
def test_the_subject_is_the_largest_class_after_background(
    engine: Engine, photograph: str, subject: int
) -> None:
    """The bundled network sees what anyone sees."""
    data = (EXAMPLES / f"{photograph}.jpg").read_bytes()
    result = segment(data, engine, INPUT, MAX_PIXELS)
    pixels = {index: count for index, count in result.class_pixels.items() if index}
    assert max(pixels, key=lambda index: pixels[index]) == subject
    assert _mask(result).size == Image.open(io.BytesIO(data)).size


def test_every_stage_is_timed() -> None:
    """In the order in which they happen, in milliseconds."""
    result = segment(encode(quarters(), "PNG"), Halves(), INPUT, MAX_PIXELS)
    assert list(result.timings) == STAGES
    assert all(0 <= milliseconds < 5000 for milliseconds in result.timings.values())


def test_the_counts_are_the_masks() -> None:
    """What the headers say can be checked against the body."""
    result = segment(encode(quarters(), "PNG"), Halves(), INPUT, MAX_PIXELS)
    ids, counts = np.unique(np.asarray(_mask(result)), return_counts=True)
    assert result.class_pixels == dict(zip(ids.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_mask_has_the_upright_size(orientation: int) -> None:
    """It lies on the photograph as people see it."""
    result = segment(turned(quarters(), orientation, "JPEG"), Halves(), INPUT, MAX_PIXELS)
    assert _mask(result).size == (96, 64)
    assert set(np.unique(np.asarray(_mask(result)))) == {0, PERSON}


@pytest.mark.parametrize("size", [(1, 1), (3000, 7), (640, 480), (1023, 769)])
def test_the_mask_holds_no_class_that_the_network_did_not_predict(size: tuple[int, int]) -> None:
    """Whatever the size of the photograph."""
    result = segment(encode(Image.new("RGB", size), "JPEG"), Halves(), INPUT, MAX_PIXELS)
    assert set(result.class_pixels) <= {0, PERSON}
    assert _mask(result).size == size


def test_the_callers_limit_on_pixels_holds() -> None:
    """It comes from the archive's operations file."""
    with pytest.raises(TooManyPixelsError, match="limit is 6,143"):
        segment(encode(quarters(), "PNG"), Halves(), INPUT, 96 * 64 - 1)


def test_a_picture_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GIF's comment is read in quadratic time: 25 MB of it would take minutes."""
    monkeypatch.setattr(pipeline, "MAX_DECODE_CPU_S", 0.5)
    gif = encode(quarters(), "GIF")
    start = gif.index(b",\0\0\0\0")
    comment = b"!\xfe" + (b"\xff" + b"a" * 255) * 100_000 + b"\0"
    with pytest.raises(UnreadableImageError, match="to decode"):
        segment(gif[:start] + comment + gif[start:], Halves(), INPUT, MAX_PIXELS)
