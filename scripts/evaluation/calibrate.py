"""Calibration of a model's input: the settings with which it does best on labelled pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deeplab.spec import InputSize
from scripts.datasets.voc import LabelledImage
from scripts.evaluation.scores import Scores, confusion_matrix, scores
from scripts.export.eager import EagerModel
from scripts.networks.checkpoints import Checkpoint
from scripts.networks.facts import MEAN, STD, Channels, InputFacts, facts_of
from scripts.networks.given_facts import Vector
from scripts.readers.input_facts import describe_size

PICTURES: Final = 10
SOURCE: Final = "--calibrate"
_HALF: Final[Vector] = (0.5, 0.5, 0.5)
_ZERO: Final[Vector] = (0.0, 0.0, 0.0)
_ONE: Final[Vector] = (1.0, 1.0, 1.0)
_255TH: Final[Vector] = (1 / 255, 1 / 255, 1 / 255)
# The means of Caffe's networks, for 0..255 in BGR.
_CAFFE: Final[Vector] = (122.68 / 255, 116.67 / 255, 104.01 / 255)
NORMALISATIONS: Final[Mapping[str, tuple[Vector, Vector, Channels]]] = {
    "ImageNet": (MEAN, STD, "rgb"),
    "0..1": (_ZERO, _ONE, "rgb"),
    "-1..1": (_HALF, _HALF, "rgb"),
    "0..255": (_ZERO, _255TH, "rgb"),
    "ImageNet, BGR": (MEAN, STD, "bgr"),
    "Caffe's means, BGR 0..255": (_CAFFE, _255TH, "bgr"),
}
SIZES: Final = (
    InputSize(256, fit="fixed", width=256, height=256),
    InputSize(256),
    InputSize(321),
    InputSize(384),
    InputSize(512),
    InputSize(512, fit="fixed", width=512, height=512),
    InputSize(2048, fit="short_side", short_side=520),
    InputSize(1024),
)


class CalibrationError(ValueError):
    """There is nothing to calibrate with; the text says why."""


@dataclass(frozen=True)
class Trial:
    """A setting and what it reached."""

    name: str
    facts: InputFacts
    scores: Scores


@dataclass(frozen=True)
class Calibration:
    """The trials, best mean IoU first, and the one without calibration."""

    trials: tuple[Trial, ...]
    before: Trial

    @property
    def best(self) -> Trial:
        """The trial with the best mean IoU; without a better one, that of before."""
        first = self.trials[0]
        return first if first.scores.miou > self.before.scores.miou else self.before


def calibrate(checkpoint: Checkpoint, pairs: Sequence[LabelledImage]) -> Calibration:
    """Try the plausible normalisations, then with the best of them the plausible sizes.

    pairs: those of `choose`. Raises CalibrationError, or DataError for one that cannot be read.
    """
    if not pairs:
        raise CalibrationError("--calibrate: the folder holds no labelled pictures")
    pictures = [(pair.image.read_bytes(), pair.read_mask()) for pair in pairs]
    before = _trial("as it was", checkpoint, facts_of(checkpoint), pictures)
    normalised = [before, *(_normalisations(checkpoint, before.facts, pictures))]
    best = max(normalised, key=lambda trial: trial.scores.miou)
    trials = [*normalised, *_sizes(checkpoint, best.facts, pictures)]
    ordered = sorted(trials, key=lambda trial: trial.scores.miou, reverse=True)
    return Calibration(tuple(ordered), before)


def choose(pairs: Sequence[LabelledImage]) -> list[LabelledImage]:
    """At most ten pictures, spread over all."""
    last, count = len(pairs) - 1, min(PICTURES, len(pairs))
    return [pairs[index] for index in sorted({int(each) for each in np.linspace(0, last, count)})]


Picture = tuple[bytes, NDArray[np.uint8]]


def _normalisations(
    checkpoint: Checkpoint, facts: InputFacts, pictures: Sequence[Picture]
) -> Iterator[Trial]:
    for name, (mean, std, channels) in NORMALISATIONS.items():
        sources = facts.sources | dict.fromkeys(("mean", "std", "channels"), SOURCE)
        tried = replace(facts, mean=mean, std=std, channels=channels, sources=sources)
        if (mean, std, channels) != (facts.mean, facts.std, facts.channels):
            yield _trial(name, checkpoint, tried, pictures)


def _sizes(
    checkpoint: Checkpoint, facts: InputFacts, pictures: Sequence[Picture]
) -> Iterator[Trial]:
    kept = facts.input
    for size in SIZES:
        wanted = replace(
            size,
            interpolation=kept.interpolation,
            antialias=kept.antialias,
            rounding=kept.rounding,
            exact=kept.exact,
        )
        if wanted != kept:
            tried = replace(facts, input=wanted, sources=facts.sources | {"size": SOURCE})
            yield _trial(describe_size(tried), checkpoint, tried, pictures)


def _trial(
    name: str, checkpoint: Checkpoint, facts: InputFacts, pictures: Sequence[Picture]
) -> Trial:
    """Measure a setting with the eager network; a size that it cannot take scores nothing."""
    model = EagerModel(replace(checkpoint, facts=facts, input=facts.input))
    classes = len(checkpoint.labels)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    try:
        for data, truth in pictures:
            confusion += confusion_matrix(truth, model.predict(data), classes)
    except (RuntimeError, ValueError):  # a network for other sizes
        confusion[:] = 0
    return Trial(name, facts, scores(confusion))


def describe(calibration: Calibration) -> str:
    """The trials as a table, and the choice in a sentence."""
    rows = [f"  {each.name:<36} {each.scores.miou:6.1%}" for each in calibration.trials]
    best, before = calibration.best, calibration.before
    if best is before:
        verdict = "the input stays as it was: nothing that was tried is better"
    else:
        gain = (best.scores.miou - before.scores.miou) * 100
        verdict = f"{best.name} is taken: {gain:.1f} points of mean IoU more than as it was"
    return "\n".join([f"mean IoU on {PICTURES} pictures at most, by setting:", *rows, verdict])
