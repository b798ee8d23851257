"""What a graph's output means, and logits from it: in NumPy, as the reference of the export."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplab.spec import MAX_CLASSES, Output
from scripts.readers.graphs.formats import GraphError
from scripts.readers.graphs.signature import MaskOutput

SMALLEST_PROBABILITY = 1e-12  # its logarithm stays finite
SMALLEST_SIGMOID = 1e-7  # 1 minus it is still less than 1 in float32
ID_LOGIT = 20.0  # of the class that a graph names: with 255 others it is at 99.99995 %
SUM_TOLERANCE = 0.01  # of float16's probabilities


@dataclass(frozen=True)
class Meaning:
    """How logits come from an output.

    kind: what the output is. planes: its channels. classes: of the logits, two where a graph has
    one channel. threshold: share above which the only class is present, 0..1.
    """

    output: MaskOutput
    kind: Output
    planes: int
    classes: int
    threshold: float = 0.5

    @property
    def is_single(self) -> bool:
        """Whether one channel says how present one class is."""
        return self.planes == 1 and self.kind != "ids"

    @property
    def offset(self) -> float:
        """The logit of the threshold."""
        return math.log(self.threshold / (1 - self.threshold))

    def logits(self, outputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The graph's outputs -> (classes, h, w) float32 logits. Raises GraphError."""
        planes = self.output.planes(outputs)
        if self.kind == "ids":
            return self._from_ids(planes[0])
        values = _logits(planes.astype(np.float32), self.kind)
        if self.is_single:
            values = np.concatenate([np.zeros_like(values), values - np.float32(self.offset)])
        return values

    def _from_ids(self, ids: NDArray[Any]) -> NDArray[np.float32]:
        check_ids(ids, self.classes)
        classes = np.arange(self.classes).reshape(-1, 1, 1)
        return np.where(ids == classes, np.float32(ID_LOGIT), np.float32(0))


def check_ids(ids: NDArray[Any], classes: int) -> None:
    """Raise GraphError for a class id that has no name."""
    if ids.min(initial=0) < 0 or ids.max(initial=0) >= classes:
        raise GraphError(
            f"it gives the class id {int(ids.max() if ids.max() > 0 else ids.min())}, but has "
            f"{classes} classes: pass --labels with a name for each id from 0"
        )


def _logits(values: NDArray[np.float32], kind: Output) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values
    if kind == "probabilities":
        found = np.log(values.clip(SMALLEST_PROBABILITY, 1))
    elif kind == "sigmoid":
        inside = values.clip(SMALLEST_SIGMOID, 1 - SMALLEST_SIGMOID)
        found = np.log(inside) - np.log1p(-inside)
    return found


def kind_of(seen: Sequence[NDArray[Any]]) -> Output:
    """The kind of output, by its values on photographs.

    seen: (C, h, w) for each. Raises GraphError for what none of the kinds can be.
    """
    whole = all(_is_whole(each) for each in seen)
    planes = seen[0].shape[0]
    if planes == 1 and whole:
        return "ids"
    if any(not np.issubdtype(each.dtype, np.floating) for each in seen):
        raise GraphError(
            f"its {planes} channels are of type {seen[0].dtype}: export the network's float output"
        )
    if any(each.min() < 0 or each.max() > 1 for each in seen):
        return "logits"
    if planes > 1 and all(_sums_to_one(each) for each in seen):
        return "probabilities"
    return "sigmoid"


def _is_whole(values: NDArray[Any]) -> bool:
    return not np.issubdtype(values.dtype, np.floating) or bool((values == np.rint(values)).all())


def _sums_to_one(values: NDArray[Any]) -> bool:
    sums = values.astype(np.float32).sum(axis=0)
    return bool(np.abs(sums - 1).max() <= SUM_TOLERANCE)


def check_values(name: str, planes: NDArray[Any]) -> None:
    """Raise GraphError if an output on the photograph ``name`` cannot be served."""
    if planes.shape[0] > MAX_CLASSES:
        raise GraphError(f"it has {planes.shape[0]} classes: at most {MAX_CLASSES} can be served")
    if not np.isfinite(planes).all():
        broken = 1 - np.isfinite(planes).mean()
        raise GraphError(
            f"its output is NaN or infinite in {broken:.0%} of the values for {name}: "
            "look at the training's loss, and export a sound checkpoint"
        )
