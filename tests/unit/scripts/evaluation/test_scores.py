"""Metrics of segmentation, compared with values computed by hand."""

import numpy as np
import pytest

from scripts.evaluation.scores import confusion_matrix, scores


def test_the_confusion_counts_known_pixels_only() -> None:
    """Rows are true classes, columns predicted ones; 255 is not counted."""
    truth = np.array([[0, 0, 1], [1, 2, 255]], dtype=np.uint8)
    predicted = np.array([[0, 1, 1], [1, 0, 2]], dtype=np.uint8)
    expected = [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert confusion_matrix(truth, predicted, 3).tolist() == expected


def test_the_scores_are_counted_by_hand() -> None:
    """IoU 1/3, 2/3 and 0; three of five pixels are right."""
    found = scores(np.array([[1, 1, 0], [0, 2, 0], [1, 0, 0]]))
    assert found.iou == pytest.approx({0: 1 / 3, 1: 2 / 3, 2: 0.0})
    assert found.miou == pytest.approx(1 / 3)
    assert found.pixel_accuracy == pytest.approx(3 / 5)


def test_a_class_that_is_nowhere_does_not_count() -> None:
    """A class that never occurs does not enter the mean."""
    found = scores(np.array([[4, 0, 0], [0, 4, 0], [0, 0, 0]]))
    assert found.iou == {0: 1.0, 1: 1.0}
    assert found.miou == 1.0


def test_a_class_that_is_only_predicted_counts_as_wrong() -> None:
    """Its union is not empty, so its IoU is 0."""
    assert scores(np.array([[3, 1], [0, 0]])).iou == pytest.approx({0: 0.75, 1: 0.0})


def test_nothing_known_scores_nothing() -> None:
    """A mask of 255 only scores 0."""
    ignored = np.full((2, 2), 255, dtype=np.uint8)
    found = scores(confusion_matrix(ignored, np.zeros_like(ignored), 2))
    assert (found.miou, found.pixel_accuracy, found.iou) == (0.0, 0.0, {})
