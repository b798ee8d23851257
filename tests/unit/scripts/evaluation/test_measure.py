"""Every picture is predicted once, and what is counted is what was predicted."""

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
    """A real predictor of one rule: what is red is class 1, all else is background."""

    source: str = "a rule"
    labels: dict[int, str] = field(default_factory=lambda: {0: "grey", 1: "red", 2: "green"})
    concurrency: int = 2

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """(height, width) uint8."""
        pixels = np.asarray(Image.open(io.BytesIO(data))).astype(int)
        ids: NDArray[np.uint8] = (pixels[..., 0] - pixels[..., 1] > 95).astype(np.uint8)
        return ids


class Fails(SeesRed):
    """Refuses every picture."""

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """No."""
        raise EvaluationError("the gateway answered 413: too large")


@dataclass
class FailsOnce(SeesRed):
    """Refuses one picture."""

    refused: bytes = b""

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """All but this."""
        if data == self.refused:
            raise EvaluationError("the gateway answered 413: too large")
        return super().predict(data)


class Crops(SeesRed):
    """Gives masks of another size."""

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """One row less."""
        return super().predict(data)[1:]


def test_red_is_found_and_green_is_missed(tmp_path: Path) -> None:
    """IoU near 1 and exactly 0, over all pictures together."""
    found = evaluate(SeesRed(), list_pairs(make(tmp_path, 6)))
    assert found.scores.iou[RED] > 0.95
    assert found.scores.iou[GREEN] == 0.0
    assert found.confusion[GREEN, 0] == found.confusion[GREEN].sum() > 0
    assert found.source == "a rule"


def test_the_worst_picture_comes_first(tmp_path: Path) -> None:
    """Those with a green square."""
    found = evaluate(SeesRed(), list_pairs(make(tmp_path, 6)))
    names = [each.pair.name for each in found.pictures]
    assert (set(names[:3]), set(names[3:])) == ({"p01", "p03", "p05"}, {"p00", "p02", "p04"})
    assert found.pictures[0].scores.miou < found.pictures[2].scores.miou


def test_the_totals_are_the_sum_of_the_pictures(tmp_path: Path) -> None:
    """Not the mean of their scores: large pictures count by their pixels."""
    found = evaluate(SeesRed(), list_pairs(make(tmp_path, 4)))
    assert np.array_equal(found.confusion, sum(each.confusion for each in found.pictures))


def test_the_prediction_is_kept(tmp_path: Path) -> None:
    """For the report."""
    write(tmp_path, "p", *draw(0, RED))
    (picture,) = evaluate(SeesRed(), list_pairs(tmp_path)).pictures
    predicted = read_mask(picture.predicted_png)
    assert predicted.shape == draw(0, RED)[1].shape
    assert set(np.unique(predicted)) == {0, RED}


def test_a_refusal_names_the_picture(tmp_path: Path) -> None:
    """With the reason that came."""
    pairs = list_pairs(make(tmp_path, 2))
    with pytest.raises(EvaluationError, match=r"p00\.jpg: the gateway answered 413") as failed:
        evaluate(Fails(), pairs)
    assert not isinstance(failed.value, IncompleteError)  # there is nothing to show


def test_what_was_measured_before_a_refusal_is_kept(tmp_path: Path) -> None:
    """It may have taken an hour; the error names the picture."""
    pairs = list_pairs(make(tmp_path, 6))
    refuses = FailsOnce(refused=pairs[3].image.read_bytes())
    with pytest.raises(IncompleteError, match=r"p03\.jpg: the gateway answered 413") as failed:
        evaluate(refuses, pairs)
    before, expected = failed.value.before, evaluate(SeesRed(), pairs[:3])
    assert [each.pair for each in before.pictures] == [each.pair for each in expected.pictures]
    assert np.array_equal(before.confusion, expected.confusion)
    assert before.scores == expected.scores


def test_a_mask_of_another_size_is_an_error(tmp_path: Path) -> None:
    """It cannot be compared."""
    with pytest.raises(EvaluationError, match=r"p00\.jpg: the prediction has 96 x 79 .* 96 x 80"):
        evaluate(Crops(), list_pairs(make(tmp_path, 1)))
