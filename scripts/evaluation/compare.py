"""The original and its archive on the same labelled pictures, class by class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deeplab.decode import decode
from deeplab.errors import RejectedImageError
from deeplab.preprocess import upright
from scripts.datasets.voc import FULL_SCALE, LabelledImage, inspect_pairs, list_pairs
from scripts.evaluation.measure import Evaluation, evaluate
from scripts.evaluation.predictors import (
    ArchivePredictor,
    CheckpointPredictor,
    EvaluationError,
    Predictor,
)
from scripts.export.export_check import ids_at
from scripts.networks.checkpoints import Checkpoint, Original


class OriginalPredictor:
    """A model behind its own preprocessing."""

    concurrency = 1

    def __init__(self, checkpoint: Checkpoint, original: Original):
        self.source = f"the original of {checkpoint.origin}"
        self.labels = checkpoint.labels
        self._original = original

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """An encoded picture -> (height, width) uint8 class ids. Raises EvaluationError."""
        try:
            image = upright(decode(data, FULL_SCALE))
        except RejectedImageError as exc:
            raise EvaluationError(str(exc)) from exc
        return ids_at(self._original, image, (image.shape[0], image.shape[1]))


def compare(checkpoint: Checkpoint, archive: Path, data: Path) -> str:
    """The table. Raises EvaluationError or DataError."""
    pairs = list_pairs(data)
    inspect_pairs(pairs, len(checkpoint.labels))
    before, after = (evaluate(predictor, pairs) for predictor in _predictors(checkpoint, archive))
    return table(before, after, pairs)


def _predictors(checkpoint: Checkpoint, archive: Path) -> tuple[Predictor, Predictor]:
    original: Predictor = (
        CheckpointPredictor(checkpoint)
        if checkpoint.original is None
        else OriginalPredictor(checkpoint, checkpoint.original)
    )
    return original, ArchivePredictor(archive)


def table(before: Evaluation, after: Evaluation, pairs: Sequence[LabelledImage]) -> str:
    """IoU of the original and of the archive by class, and the means."""
    width = max(len(name) for name in (*before.labels.values(), "mean IoU"))
    rows = [f"{'class':<{width}}  original  archive"]
    for index, name in before.labels.items():
        shares = (before.scores.iou.get(index), after.scores.iou.get(index))
        rows.append(f"{name:<{width}}  {_share(shares[0]):>8}  {_share(shares[1]):>7}")
    means = (before.scores.miou, after.scores.miou)
    rows.append(f"{'mean IoU':<{width}}  {means[0]:>8.4f}  {means[1]:>7.4f}")
    return "\n".join([f"on {len(pairs)} labelled pictures:", *rows])


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
