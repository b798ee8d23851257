"""The measurement: each image is predicted once and counted by its prediction."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from scripts.datasets.voc import list_pairs
from scripts.evaluation.measure import IncompleteError, evaluate
from scripts.evaluation.predictors import EvaluationError, read_mask
from tests.unit.scripts.voc_folder import GREEN, RED, draw, make, write


@dataclass
class SeesRed:
    """A real predictor of one rule: red is class 1, everything else background."""

    source: str = "a rule"
    labels: dict[int, str] = field(default_factory=lambda: {0: "grey", 1: "red", 2: "green"})
    concurrency: int = 2

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """(height, width) uint8."""
        pixels = np.asarray(Image.open(io.BytesIO(data))).astype(int)
        ids: NDArray[np.uint8] = (pixels[..., 0] - pixels[..., 1] > 95).astype(np.uint8)
        return ids


class Fails(SeesRed):
    """Refuses every image."""

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """Refuse."""
        raise EvaluationError("the gateway answered 413: too large")


@dataclass
class FailsOnce(SeesRed):
    """Refuses one image."""

    refused: bytes = b""

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """Refuse one image."""
        if data == self.refused:
            raise EvaluationError("the gateway answered 413: too large")
        return super().predict(data)


class Crops(SeesRed):
    """Gives masks of another size."""

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """A mask with one row less."""
        return super().predict(data)[1:]


def test_red_is_found_and_green_is_missed(tmp_path: Path) -> None:
    """IoU near 1 and exactly 0, over all pictures together."""
    found = evaluate(SeesRed(), list_pairs(make(tmp_path, 6)))
    assert found.scores.iou[RED] > 0.95
    assert found.scores.iou[GREEN] == 0.0
    assert found.confusion[GREEN, 0] == found.confusion[GREEN].sum() > 0
    assert found.source == "a rule"


def test_the_worst_picture_comes_first(tmp_path: Path) -> None:
    """Images are sorted by score, the worst first."""
    found = evaluate(SeesRed(), list_pairs(make(tmp_path, 6)))
    names = [each.pair.name for each in found.pictures]
    assert (set(names[:3]), set(names[3:])) == ({"p01", "p03", "p05"}, {"p00", "p02", "p04"})
    assert found.pictures[0].scores.miou < found.pictures[2].scores.miou


def test_the_totals_are_the_sum_of_the_pictures(tmp_path: Path) -> None:
    """Totals count pixels, so they are not the mean of the images' scores."""
    found = evaluate(SeesRed(), list_pairs(make(tmp_path, 4)))
    assert np.array_equal(found.confusion, sum(each.confusion for each in found.pictures))


def test_the_prediction_is_kept(tmp_path: Path) -> None:
    """The report shows it."""
    write(tmp_path, "p", *draw(0, RED))
    (picture,) = evaluate(SeesRed(), list_pairs(tmp_path)).pictures
    predicted = read_mask(picture.predicted_png)
    assert predicted.shape == draw(0, RED)[1].shape
    assert set(np.unique(predicted)) == {0, RED}


def test_a_refusal_names_the_picture(tmp_path: Path) -> None:
    """The error has the image's name and the reason."""
    pairs = list_pairs(make(tmp_path, 2))
    with pytest.raises(EvaluationError, match=r"p00\.jpg: the gateway answered 413") as failed:
        evaluate(Fails(), pairs)
    assert not isinstance(failed.value, IncompleteError)  # there is nothing to show


def test_what_was_measured_before_a_refusal_is_kept(tmp_path: Path) -> None:
    """The error carries the results until then, which may have taken an hour."""
    pairs = list_pairs(make(tmp_path, 6))
    refuses = FailsOnce(refused=pairs[3].image.read_bytes())
    with pytest.raises(IncompleteError, match=r"p03\.jpg: the gateway answered 413") as failed:
        evaluate(refuses, pairs)
    before, expected = failed.value.before, evaluate(SeesRed(), pairs[:3])
    assert [each.pair for each in before.pictures] == [each.pair for each in expected.pictures]
    assert np.array_equal(before.confusion, expected.confusion)
    assert before.scores == expected.scores


def test_a_mask_of_another_size_is_an_error(tmp_path: Path) -> None:
    """Masks of different sizes cannot be compared."""
    with pytest.raises(EvaluationError, match=r"p00\.jpg: the prediction has 96 x 79 .* 96 x 80"):
        evaluate(Crops(), list_pairs(make(tmp_path, 1)))
