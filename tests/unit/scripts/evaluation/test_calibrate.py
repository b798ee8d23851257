"""Calibration: a network's own normalisation and size are found from labelled pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from deeplab.spec import InputSize
from scripts.datasets.voc import DataError, list_pairs
from scripts.evaluation.calibrate import CalibrationError, calibrate, choose, describe
from scripts.networks.checkpoints import Checkpoint
from scripts.networks.facts import InputFacts
from tests.unit.tiny import LABELS

pytestmark = pytest.mark.slow


def _network() -> nn.Module:
    """A class is the strongest colour in BGR of 0..255; grey below 40 is background."""
    network = nn.Conv2d(3, 4, kernel_size=1)
    with torch.no_grad():
        rows = [[0.0, 0, 0], [-1, -1, 2], [-1, 2, -1], [2, -1, -1]]
        network.weight.copy_(torch.tensor(rows).view(4, 3, 1, 1))
        network.bias = nn.Parameter(torch.tensor([40.0, 0, 0, 0]))
    return network.eval()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve pictures of coloured stripes in Pascal VOC's layout."""
    for folder in ("JPEGImages", "SegmentationClass"):
        (tmp_path / folder).mkdir()
    colours = np.array([[90, 90, 90], [200, 20, 20], [20, 200, 20], [20, 20, 200]], dtype=np.uint8)
    for number in range(12):
        ids = np.roll(np.repeat(np.arange(4, dtype=np.uint8), 60), number * 17)
        ids = np.tile(ids, (160, 1))
        Image.fromarray(colours[ids]).save(
            tmp_path / "JPEGImages" / f"{number}.jpg", quality=95, subsampling=0
        )
        Image.fromarray(ids).save(tmp_path / "SegmentationClass" / f"{number}.png")
    return tmp_path


def _checkpoint(facts: InputFacts) -> Checkpoint:
    return Checkpoint("stripes", _network(), LABELS, facts.input, "a test", "0" * 64, facts)


def test_the_normalisation_of_the_training_is_found(data: Path) -> None:
    """The gain is said in points of mean IoU, and the source of the facts is the calibration."""
    pairs = choose(list_pairs(data))
    assert len(pairs) == 10
    found = calibrate(_checkpoint(InputFacts(InputSize(256))), pairs)
    best = found.best
    assert best.facts.channels == "bgr"
    assert best.facts.mean != found.before.facts.mean
    assert best.facts.sources["mean"] == "--calibrate"
    assert best.scores.miou > 0.9 > found.before.scores.miou + 0.3
    text = describe(found)
    assert "points of mean IoU more" in text
    assert best.name in text


def test_what_is_best_already_stays(data: Path) -> None:
    """With the trained settings nothing that is tried is better by chance."""
    checkpoint = _checkpoint(InputFacts(InputSize(256)))
    best = calibrate(checkpoint, list_pairs(data)).best
    again = calibrate(
        replace(checkpoint, facts=best.facts, input=best.facts.input), list_pairs(data)
    )
    assert again.best is again.before
    assert "stays as it was" in describe(again)


def test_without_pictures_there_is_nothing_to_calibrate_with(tmp_path: Path) -> None:
    """One line says so."""
    with pytest.raises(CalibrationError, match="no labelled pictures"):
        calibrate(_checkpoint(InputFacts(InputSize(256))), [])
    with pytest.raises(DataError):
        list_pairs(tmp_path)
