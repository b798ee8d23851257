"""An encoded image goes in, and its mask comes out with the facts about it."""

import io
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplab import pipeline
from deeplab.decode import MAX_PIXELS
from deeplab.engines import Engine, load_engine
from deeplab.errors import TooManyPixelsError, UnreadableImageError
from deeplab.pipeline import Segmentation, segment
from deeplab.render import RENDERS
from deeplab.render_options import RenderOptions
from deeplab.spec import InputSize, Precision, read_spec
from tests.child_process import run_in_child
from tests.unit.handler.files import EXAMPLES, encode, quarters, turned

CAT, PERSON = 8, 15
INPUT = InputSize(long_side=513, grid=16)
WAIT_S = 0.01
STAGES = ["decode", "preprocess", "infer", "postprocess", "encode"]


class Halves:
    """A tiny engine: the left half is class 0, the right half class 15."""

    name = "halves"
    precision: Precision = "f32"
    largest_batch = 1
    aligned = True

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (21, h', w') float32 logits."""
        height, width = ((side - 1) // INPUT.grid + 1 for side in pixels.shape[1:3])
        logits = np.zeros((21, height, width), dtype=np.float32)
        logits[0], logits[PERSON] = 5, np.where(np.arange(width) * 2 < width, 0, 10)
        return logits


class Waits(Halves):
    """An engine that takes at least WAIT_S."""

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (21, h', w') float32 logits."""
        sleep(WAIT_S)
        return super().logits(pixels)


@pytest.fixture(scope="module")
def engine(unpacked: Path) -> Engine:
    """The bundled network."""
    return load_engine(unpacked / "network", read_spec(unpacked / "model.json"), threads=0)


def _mask(result: Segmentation) -> Image.Image:
    return Image.open(io.BytesIO(result.png))


@pytest.mark.parametrize(("name", "subject"), [("astronaut", PERSON), ("cat", CAT)])
def test_the_subject_is_the_largest_class_after_background(
    engine: Engine, name: str, subject: int
) -> None:
    """The bundled network recognises the obvious."""
    data = (EXAMPLES / f"{name}.jpg").read_bytes()
    result = segment(data, engine, INPUT, MAX_PIXELS)
    pixels = {index: count for index, count in result.class_pixels.items() if index}
    assert max(pixels, key=lambda index: pixels[index]) == subject
    assert _mask(result).size == Image.open(io.BytesIO(data)).size


def test_every_stage_is_timed() -> None:
    """In the order of execution, one after the other, in milliseconds."""
    start = perf_counter()
    result = segment(encode(quarters(), "PNG"), Waits(), INPUT, MAX_PIXELS)
    elapsed_ms = (perf_counter() - start) * 1e3
    assert list(result.timings) == STAGES
    assert min(result.timings.values()) >= 0
    assert WAIT_S * 1e3 <= result.timings["infer"] <= sum(result.timings.values()) <= elapsed_ms


def test_the_counts_are_the_masks() -> None:
    """The headers can be checked against the body."""
    result = segment(encode(quarters(), "PNG"), Halves(), INPUT, MAX_PIXELS)
    ids, counts = np.unique(np.asarray(_mask(result)), return_counts=True)
    assert result.class_pixels == dict(zip(ids.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_mask_has_the_upright_size(orientation: int) -> None:
    """It fits the image as it is displayed."""
    result = segment(turned(quarters(), orientation, "JPEG"), Halves(), INPUT, MAX_PIXELS)
    assert _mask(result).size == (96, 64)
    assert set(np.unique(np.asarray(_mask(result)))) == {0, PERSON}


@pytest.mark.parametrize("size", [(1, 1), (3000, 7), (640, 480), (1023, 769)])
def test_the_mask_holds_no_class_that_the_network_did_not_predict(size: tuple[int, int]) -> None:
    """For images of any size."""
    result = segment(encode(Image.new("RGB", size), "JPEG"), Halves(), INPUT, MAX_PIXELS)
    assert set(result.class_pixels) <= {0, PERSON}
    assert _mask(result).size == size


def test_the_callers_limit_on_pixels_holds() -> None:
    """It comes from the archive's model-config.yaml."""
    with pytest.raises(TooManyPixelsError, match="limit is 6,143"):
        segment(encode(quarters(), "PNG"), Halves(), INPUT, 96 * 64 - 1)


def _segment_a_long_comment() -> None:
    pipeline.MAX_DECODE_CPU_S = 0.5
    gif = encode(quarters(), "GIF")
    start = gif.index(b",\0\0\0\0")
    comment = b"!\xfe" + (b"\xff" + b"a" * 255) * 100_000 + b"\0"
    segment(gif[:start] + comment + gif[start:], Halves(), INPUT, MAX_PIXELS)


@pytest.mark.slow
def test_an_image_that_takes_too_long_is_rejected() -> None:
    """A GIF's comment is read in quadratic time: 25 MB of it would take minutes."""
    with pytest.raises(UnreadableImageError, match="to decode"):
        run_in_child(_segment_a_long_comment)


@pytest.mark.parametrize("render", RENDERS)
def test_every_form_has_the_size_of_the_upright_image(render: str) -> None:
    """Also for a large JPEG, which is decoded for the network at a reduced scale."""
    data = turned(quarters(3000, 2000), 6, "JPEG")
    options = RenderOptions(render, colours=((PERSON, (9, 9, 9)),))
    result = segment(data, Halves(), INPUT, MAX_PIXELS, options)
    assert _mask(result).size == (3000, 2000)


def test_a_cut_out_of_a_large_image_is_at_full_scale() -> None:
    """Not at the reduced scale that was decoded for the network."""
    stripes = Image.fromarray(np.tile(np.array([0, 255], dtype=np.uint8), (1500, 1000)))
    data = encode(stripes, "JPEG")
    cut = _mask(segment(data, Halves(), INPUT, MAX_PIXELS, RenderOptions("cutout")))
    right = np.asarray(cut)[:, 1600:, 0].astype(int)
    assert np.abs(np.diff(right, axis=1)).mean() > 100


def test_chosen_classes_alone_are_in_the_mask() -> None:
    """Everything else is background; the counts remain those of the whole image."""
    data = encode(quarters(), "PNG")
    result = segment(data, Halves(), INPUT, MAX_PIXELS, RenderOptions(classes=frozenset({CAT})))
    assert np.asarray(_mask(result)).max() == 0
    assert set(result.class_pixels) == {0, PERSON}


def test_confidences_are_facts_and_a_map() -> None:
    """The mean of each class on request; the overall mean always."""
    data = encode(quarters(), "PNG")
    plain = segment(data, Halves(), INPUT, MAX_PIXELS)
    asked = segment(data, Halves(), INPUT, MAX_PIXELS, RenderOptions(confidence=True))
    shown = segment(data, Halves(), INPUT, MAX_PIXELS, RenderOptions("confidence"))
    assert plain.class_confidence == {}
    assert set(asked.class_confidence) == {0, PERSON}
    assert all(0.87 < share <= 1 for share in asked.class_confidence.values())
    assert 0.87 < plain.confidence == asked.confidence <= 1
    mean = np.asarray(_mask(shown)).mean() / 255
    assert mean == pytest.approx(plain.confidence, abs=0.05)


def test_a_confidence_map_of_chosen_classes_is_black_elsewhere() -> None:
    """Only the chosen classes have a confidence."""
    options = RenderOptions("confidence", classes=frozenset({PERSON}))
    levels = np.asarray(
        _mask(segment(encode(quarters(), "PNG"), Halves(), INPUT, MAX_PIXELS, options))
    )
    assert levels[:, 0].max() == 0
    assert levels[:, -1].min() > 200
