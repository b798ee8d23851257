"""A checkpoint, ready to be exported: the network with its weights, labels and facts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from deeplab.spec import InputSize, InvalidSpecError, Output
from scripts.networks import torchvision_weights
from scripts.networks.architectures import (
    DEEPLAB_ARCHITECTURES,
    FCN_ARCHITECTURES,
    LITE_ARCHITECTURES,
    LRASPP_ARCHITECTURES,
    TORCHVISION_ARCHITECTURES,
    VOC_LABELS,
)
from scripts.networks.efficientnet_lite import DeepLabV3EfficientNetLite
from scripts.networks.facts import InputFacts
from scripts.networks.labels import read_label_file
from scripts.networks.single_output import two_labels


class CheckpointError(ValueError):
    """The weights or labels cannot be used; the text says why and what to do."""


class Original(Protocol):
    """A model as its author runs it, with its own preprocessing: what a proof compares with."""

    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(height, width, 3) uint8 upright RGB -> (classes, h, w) float32 logits, not upsampled."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """A network that is ready to be exported.

    network: normalised (N, 3, H, W) float32, channels as in ``facts`` -> logits
        (N, classes, h, w), in eval mode. With a single output it has two classes here.
    input: the size at which the network sees pictures.
    facts: the same size, the normalisation, and where each fact comes from.
    origin: a sentence about where the weights come from.
    output, threshold: as in ``ModelSpec``.
    original: the model behind its own preprocessing; None for the network behind the facts'.
    colours: (red, green, blue), 0..255, of each class, where the checkpoint names them.
    is_published: whether the weights are bundled or torchvision's, and not the user's.
    assumption: a line about what a file of weights cannot show; "" if there is nothing.
    """

    architecture: str
    network: nn.Module
    labels: dict[int, str]
    input: InputSize
    origin: str
    sha256: str
    facts: InputFacts | None = None
    output: Output = "logits"
    threshold: float = 0.5
    original: Original | None = None
    colours: tuple[tuple[int, int, int], ...] = ()
    is_published: bool = False
    assumption: str = ""


# 481 is where the bundled network is as good as at any size and cheap (decision record 0019), on
# the grid of its output stride. torchvision evaluated its weights at a short side of 520 pixels,
# of photographs; what is longer than twice that is shrunk further, so that a panorama ends.
INPUTS = {
    **dict.fromkeys(LITE_ARCHITECTURES, InputSize(long_side=481, grid=16)),
    **dict.fromkeys(
        TORCHVISION_ARCHITECTURES, InputSize(long_side=1040, fit="short_side", short_side=520)
    ),
}


def usual_long_side(size: InputSize) -> int:
    """The long side of a 4:3 photograph at this size, in pixels."""
    return round(size.short_side * 4 / 3) if size.fit == "short_side" else size.long_side


RECIPES = {
    **dict.fromkeys(LITE_ARCHITECTURES, "Segserve's recipe"),
    **dict.fromkeys(TORCHVISION_ARCHITECTURES, "torchvision's published recipe"),
}
FACTS = ("size", "mean", "std", "channels", "interpolation")


# The last layer, with the classes as its outputs.
CLASSIFIERS = {
    **dict.fromkeys(LITE_ARCHITECTURES, "head.classifier"),
    **dict.fromkeys((*DEEPLAB_ARCHITECTURES, *FCN_ARCHITECTURES), "classifier.4"),
    **dict.fromkeys(LRASPP_ARCHITECTURES, "classifier.high_classifier"),
}


def build_network(architecture: str, classes: int) -> nn.Module:
    """The architecture without weights."""
    if architecture in LITE_ARCHITECTURES:
        return DeepLabV3EfficientNetLite(architecture, classes)
    return torchvision_weights.build_network(architecture, classes)


def published_facts(architecture: str) -> InputFacts:
    """The input that the architecture's own recipe has."""
    return InputFacts(INPUTS[architecture], sources=dict.fromkeys(FACTS, RECIPES[architecture]))


def labels_for(path: Path | None, outputs: int) -> dict[int, str]:
    """The labels of a network with so many outputs; without a file, Pascal VOC's if they fit.

    One output has two labels. Raises CheckpointError.
    """
    try:
        if path is None and outputs == 1:
            raise CheckpointError(
                "the weights have one output, but no --labels are given: "
                'pass --labels labels.json with {"0": "crack"}, the class that they find'
            )
        labels = read_label_file(path or VOC_LABELS)
        if outputs == 1:
            return two_labels(labels)
    except InvalidSpecError as exc:
        place = "" if str(path) in str(exc) else f"{path} "
        raise CheckpointError(f"--labels {place}{exc}") from exc
    if len(labels) != outputs:
        which = f"--labels {path} names {len(labels)}" if path else "no --labels are given"
        raise CheckpointError(
            f"the weights have {outputs} classes, but {which}: "
            f'pass --labels labels.json with {{"0": "background", ..., "{outputs - 1}": "..."}}'
        )
    return labels
