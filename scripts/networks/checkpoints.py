"""Loading a checkpoint: the chosen network with its weights and labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from deeplab.spec import InputSize, InvalidSpecError, Output, read_labels
from scripts.archives.digests import file_sha256
from scripts.networks import torchvision_weights
from scripts.networks.architectures import (
    ARCHITECTURES,
    BUNDLED,
    BUNDLED_WEIGHTS,
    LITE_ARCHITECTURES,
    TORCHVISION_ARCHITECTURES,
    VOC_LABELS,
    ModelChoice,
)
from scripts.networks.efficientnet_lite import DeepLabV3EfficientNetLite
from scripts.networks.facts import InputFacts


class CheckpointError(ValueError):
    """The weights or labels cannot be used; the text says why and what to do."""


class Original(Protocol):
    """A model as its author runs it, with its own preprocessing: what a proof compares with."""

    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(height, width, 3) uint8 upright RGB -> (classes, height, width) float32 logits."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """A network that is ready to be exported.

    network: normalised (N, 3, H, W) float32, channels as in ``facts`` -> logits
        (N, classes, h, w), in eval mode. With a single output it has one class here.
    input: the size at which the network sees pictures.
    facts: the same size, the normalisation, and where each fact comes from.
    origin: a sentence about where the weights come from.
    output, threshold: as in ``ModelSpec``.
    original: the model behind its own preprocessing; None for the network behind the facts'.
    colours: (red, green, blue), 0..255, of each class, where the checkpoint names them.
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


def load_checkpoint(choice: ModelChoice) -> Checkpoint:
    """Load the chosen model. Raises CheckpointError or torchvision_weights.DownloadError."""
    path, origin = _locate(choice)
    state = read_state(path)
    architecture = choice.architecture or guess_architecture(state)
    classes = _count_classes(state, architecture)
    labels = _labels(choice.labels, classes)
    network = build_network(architecture, classes)
    _load_state(network, state, path, architecture)
    return Checkpoint(
        architecture=architecture,
        network=network.eval(),
        labels=labels,
        input=INPUTS[architecture],
        origin=origin,
        sha256=file_sha256(path),
    )


# 481 is where the bundled network is as good as at any size and cheap (decision record 0019), on
# the grid of its output stride. 693 gives a 4:3 photograph the short side of 520 pixels with which
# torchvision evaluated its weights; these know no grid.
INPUTS = {
    **dict.fromkeys(LITE_ARCHITECTURES, InputSize(long_side=481, grid=16)),
    **dict.fromkeys(TORCHVISION_ARCHITECTURES, InputSize(long_side=693, grid=1)),
}


# The last layer, with the classes as its outputs.
CLASSIFIERS = {
    **dict.fromkeys(LITE_ARCHITECTURES, "head.classifier"),
    **dict.fromkeys(TORCHVISION_ARCHITECTURES, "classifier.4"),
}


def build_network(architecture: str, classes: int) -> nn.Module:
    """The architecture without weights."""
    if architecture in LITE_ARCHITECTURES:
        return DeepLabV3EfficientNetLite(architecture, classes)
    return torchvision_weights.build_network(architecture, classes)


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict (.safetensors, or .pth with tensors only), as float32 on the CPU."""
    try:
        if path.suffix == ".safetensors":
            state: Mapping[str, object] = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as exc:
        raise CheckpointError(f"--weights {path}: there is no such file") from exc
    except Exception as exc:  # pickle, zip and safetensors raise what they like
        reason = str(exc).splitlines()[0][:200] if str(exc) else type(exc).__name__
        raise CheckpointError(f"--weights {path}: not a readable checkpoint ({reason})") from exc
    return _tensors(state, path)


def _tensors(state: object, path: Path) -> dict[str, Tensor]:
    """The tensors of a state dict, without the wrappings "model", "state_dict", "module."."""
    for key in ("model", "state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping):
        raise CheckpointError(f"--weights {path}: holds no state dict; save model.state_dict()")
    named = {str(name).removeprefix("module."): value for name, value in state.items()}
    tensors = {
        name: value.float() if value.is_floating_point() else value
        for name, value in named.items()
        if isinstance(value, Tensor) and not name.startswith("aux_classifier.")
    }
    if not tensors:
        raise CheckpointError(f"--weights {path}: holds no tensors; save model.state_dict()")
    return tensors


def _width(state: Mapping[str, Tensor], name: str) -> int:
    return state[name].shape[0] if name in state else 0


MARKS: tuple[tuple[str, Callable[[Mapping[str, Tensor]], bool]], ...] = (
    (
        "deeplabv3_efficientnet_lite2",
        lambda state: _width(state, "backbone.blocks.20.project.weight") == 352,
    ),
    (
        "deeplabv3_efficientnet_lite1",
        lambda state: _width(state, "backbone.blocks.20.project.weight") == 320,
    ),
    (
        "deeplabv3_efficientnet_lite0",
        lambda state: _width(state, "backbone.blocks.15.project.weight") == 320,
    ),
    ("deeplabv3_resnet101", lambda state: "backbone.layer3.22.conv1.weight" in state),
    ("deeplabv3_resnet50", lambda state: "backbone.layer3.5.conv1.weight" in state),
    ("deeplabv3_mobilenet_v3_large", lambda state: "backbone.16.0.weight" in state),
)


def guess_architecture(state: Mapping[str, Tensor]) -> str:
    """Infer the architecture from the parameters' names and shapes."""
    for architecture, is_marked in MARKS:
        if is_marked(state):
            return architecture
    raise CheckpointError(f"the weights fit none of {', '.join(ARCHITECTURES)}")


def _locate(choice: ModelChoice) -> tuple[Path, str]:
    if choice.architecture is not None and choice.architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"--model {choice.architecture} is unknown; choose one of {', '.join(ARCHITECTURES)}"
        )
    if choice.weights is not None:
        return choice.weights, f"the user's checkpoint {choice.weights.name}"
    if choice.architecture is None or choice.architecture == BUNDLED:
        return BUNDLED_WEIGHTS, "bundled with Segserve; see model_store/weights/README.md"
    if choice.architecture in LITE_ARCHITECTURES:
        raise CheckpointError(
            f"there are no weights of {choice.architecture}: pass your own with --weights"
        )
    return torchvision_weights.fetch_weights(
        choice.architecture
    ), "published by torchvision (BSD-3-Clause)"


def _count_classes(state: Mapping[str, Tensor], architecture: str) -> int:
    last = f"{CLASSIFIERS[architecture]}.weight"
    if last not in state:
        raise CheckpointError(f"the weights are not of {architecture}: {last} is missing")
    return state[last].shape[0]


def _labels(path: Path | None, classes: int) -> dict[int, str]:
    try:
        labels = read_labels(path or VOC_LABELS)
    except InvalidSpecError as exc:
        raise CheckpointError(f"--labels {exc}") from exc
    if len(labels) != classes:
        which = f"--labels {path} names {len(labels)}" if path else "no --labels are given"
        raise CheckpointError(
            f"the weights have {classes} classes, but {which}: "
            f'pass --labels labels.json with {{"0": "background", ..., "{classes - 1}": "..."}}'
        )
    return labels


def _load_state(
    network: nn.Module, state: Mapping[str, Tensor], path: Path, architecture: str
) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as exc:
        first = str(exc).splitlines()[-1].strip()[:160]
        raise CheckpointError(f"--weights {path} does not fit {architecture}: {first}") from exc
