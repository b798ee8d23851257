"""Prediction of every image of a folder, and its confusion matrix."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplab.png import encode_png
from scripts.datasets.voc import LabelledImage
from scripts.evaluation.predictors import EvaluationError, Predictor
from scripts.evaluation.scores import Scores, confusion_matrix, scores


@dataclass(frozen=True)
class ImageResult:
    """The result of one image.

    predicted_png: the predicted class ids as a grey PNG, which is small enough to be kept.
    confusion: as in Evaluation. scores: of this picture alone.
    """

    pair: LabelledImage
    predicted_png: bytes
    confusion: NDArray[np.int64]
    scores: Scores


@dataclass(frozen=True)
class Evaluation:
    """The result of a model on a folder.

    confusion: (classes, classes) int64 pixels by true class (rows) and predicted class (columns).
    scores: of the confusion over all pictures. pictures: worst mean IoU first.
    """

    source: str
    labels: dict[int, str]
    confusion: NDArray[np.int64]
    scores: Scores
    pictures: list[ImageResult]


class IncompleteError(EvaluationError):
    """An image could not be measured; ``before`` has the results until then, one or more."""

    def __init__(self, reason: str, before: Evaluation):
        super().__init__(reason)
        self.before = before


def evaluate(
    predictor: Predictor,
    pairs: Sequence[LabelledImage],
    progress: Callable[[Iterable[ImageResult]], Iterable[ImageResult]] = iter,
) -> Evaluation:
    """Predict and score all images. Raises EvaluationError, naming the image.

    It is an IncompleteError unless that picture was the first.
    """
    classes = len(predictor.labels)

    def measure(pair: LabelledImage) -> ImageResult:
        truth, predicted = pair.read_mask(), _predict(predictor, pair)
        if predicted.shape != truth.shape:
            raise EvaluationError(
                f"{pair.image}: the prediction has {predicted.shape[1]} x {predicted.shape[0]} "
                f"pixels, the mask {truth.shape[1]} x {truth.shape[0]}"
            )
        confusion = confusion_matrix(truth, predicted, classes)
        return ImageResult(pair, encode_png(predicted), confusion, scores(confusion))

    pictures: list[ImageResult] = []
    with ThreadPoolExecutor(predictor.concurrency) as pool:
        try:
            for picture in progress(pool.map(measure, pairs)):
                pictures.append(picture)
        except EvaluationError as exc:
            pool.shutdown(cancel_futures=True)
            if not pictures:
                raise
            raise IncompleteError(str(exc), _evaluation(predictor, pictures)) from exc
    return _evaluation(predictor, pictures)


def _evaluation(predictor: Predictor, pictures: Sequence[ImageResult]) -> Evaluation:
    classes = len(predictor.labels)
    nothing = np.zeros((classes, classes), dtype=np.int64)
    confusion = sum((each.confusion for each in pictures), nothing)
    return Evaluation(
        source=predictor.source,
        labels=predictor.labels,
        confusion=confusion,
        scores=scores(confusion),
        pictures=sorted(pictures, key=lambda each: (each.scores.miou, each.pair.name)),
    )


def _predict(predictor: Predictor, pair: LabelledImage) -> NDArray[np.uint8]:
    try:
        return predictor.predict(pair.image.read_bytes())
    except EvaluationError as exc:
        raise EvaluationError(f"{pair.image}: {exc}") from exc
