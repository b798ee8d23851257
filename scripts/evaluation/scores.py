"""Segmentation metrics from a confusion matrix: IoU, mean IoU, pixel accuracy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.datasets.voc import IGNORE


def confusion_matrix(
    truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int
) -> NDArray[np.int64]:
    """(classes, classes) int64 pixels by true class (rows) and predicted class (columns).

    Pixels with the true class 255 are left out. truth, predicted: uint8 class ids of one shape.
    """
    known = truth != IGNORE
    pairs = truth[known].astype(np.int64) * classes + predicted[known]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class Scores:
    """Metrics, 0..1.

    iou: class id -> intersection over union; absent where a class neither occurs nor is predicted.
    miou: mean of ``iou``. pixel_accuracy: share of the known pixels with the true class.
    """

    miou: float
    pixel_accuracy: float
    iou: dict[int, float]


def scores(confusion: NDArray[np.int64]) -> Scores:
    """The scores of a (classes, classes) confusion matrix; all 0 if it is empty."""
    right = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    iou = {int(index): float(right[index] / union[index]) for index in np.flatnonzero(union)}
    total = int(confusion.sum())
    return Scores(
        miou=float(np.mean(list(iou.values()))) if iou else 0.0,
        pixel_accuracy=float(right.sum() / total) if total else 0.0,
        iou=iou,
    )
