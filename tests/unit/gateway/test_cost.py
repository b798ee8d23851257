"""What the gateway adds to the handler's answer costs little, whatever the form."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gateway.masks.colour_map import colour_map
from gateway.masks.grey_png import encode_grey
from gateway.masks.palettes import SEED
from gateway.segmentation.options import Wish
from gateway.segmentation.prediction import Found
from gateway.segmentation.results import Detail, describe
from gateway.torchserve.inference import Prediction, Target
from tests.unit.gateway.series import idle_clock

GOLDEN = Path(__file__).parents[2] / "e2e" / "golden" / "astronaut.png"
SIZE = (640, 480)
RUNS = 50


@pytest.fixture(scope="module")
def mask() -> bytes:
    """A real mask as the handler sends it."""
    golden = Image.open(GOLDEN).resize(SIZE, Image.Resampling.NEAREST)
    return encode_grey(np.asarray(golden))


def _best_ms(work: Callable[[], object]) -> float:
    """Of many runs the fastest: the others were disturbed."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1e3)
    return min(times)


def test_a_colour_map_costs_a_fifth_of_a_millisecond_at_most(mask: bytes) -> None:
    """Its pixels are never decoded."""
    assert _best_ms(lambda: colour_map(mask, SEED)) <= 0.2


def test_a_document_costs_three_milliseconds_at_most(mask: bytes) -> None:
    """Without outlines, serialised."""
    prediction = Prediction(mask, "", "decode;dur=3.1", "0.9", "0=0.9,15=0.8")
    labels = {index: str(index) for index in range(21)}
    found = Found(Target("deeplabv3", "1.0"), prediction, labels, 0.02, idle_clock())

    def document() -> str:
        return describe(found, Wish(), Detail(), "an-id").model_dump_json()

    assert _best_ms(document) <= 3
