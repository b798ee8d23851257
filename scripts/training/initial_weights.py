"""Initial weights: ImageNet's backbone, published or bundled weights, or a checkpoint."""

import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from deeplab.spec import read_labels
from scripts.networks import torchvision_weights
from scripts.networks.architectures import BUNDLED, BUNDLED_WEIGHTS, LITE_ARCHITECTURES, VOC_LABELS
from scripts.networks.checkpoints import (
    CLASSIFIERS,
    CheckpointError,
    build_network,
)
from scripts.networks.efficientnet_lite import EfficientNetLite
from scripts.networks.facts import MEAN, STD
from scripts.networks.imagenet_backbones import BackboneError, load_lite
from scripts.readers.state_dicts import read_weights
from scripts.training.options import DEFAULT, IMAGENET, RANDOM


@dataclass(frozen=True)
class InitialNetwork:
    """A network to be trained. origin: a sentence about its first weights."""

    architecture: str
    network: nn.Module
    origin: str


def initial_network(
    init: str, architecture: str | None, labels: Mapping[int, str]
) -> InitialNetwork:
    """Build the network and load its initial weights.

    init: "default" (the bundled or the published weights of the architecture), "imagenet" (its
    backbone only), "random", or a checkpoint's path. labels: class id -> name. The last layer
    begins anew for other classes: other names than Pascal VOC's for "default", another number
    than the checkpoint's else, as a checkpoint does not say its names.
    Raises CheckpointError, BackboneError or torchvision_weights.DownloadError.
    """
    if init in (IMAGENET, RANDOM):
        chosen = architecture or BUNDLED
        network = build_network(chosen, len(labels))
        if init == IMAGENET:
            _load_backbone(network, chosen)
        return InitialNetwork(chosen, network, f"{init} weights")
    path = _default_weights(architecture or BUNDLED) if init == DEFAULT else Path(init)
    weights = read_weights(path, architecture)
    state, chosen = weights.state, weights.architecture
    network = build_network(chosen, len(labels))
    others = init == DEFAULT and labels != read_labels(VOC_LABELS)
    replaced = _load(network, state, CLASSIFIERS[chosen], path, others=others)
    return InitialNetwork(
        chosen, network, path.name + (", with a new last layer" if replaced else "")
    )


def _default_weights(architecture: str) -> Path:
    if architecture == BUNDLED:
        return BUNDLED_WEIGHTS
    if architecture in LITE_ARCHITECTURES:
        raise CheckpointError(
            f"there are no weights of {architecture}: choose --init imagenet, or a checkpoint"
        )
    return torchvision_weights.fetch_weights(architecture)


def _load(
    network: nn.Module, state: Mapping[str, Tensor], classifier: str, path: Path, *, others: bool
) -> bool:
    """Load a state dict; returns whether the last layer stays new.

    others: whether the checkpoint's classes are known to be others, even if they are as many.
    """
    own = network.state_dict()
    last = [name for name in own if name.startswith(f"{classifier}.")]
    differs = any(name in state and state[name].shape != own[name].shape for name in last)
    is_new = others or differs
    used = {name: own[name] for name in last} if is_new else {}
    try:
        network.load_state_dict({**state, **used})
    except RuntimeError as exc:
        first = str(exc).splitlines()[-1].strip()[:160]
        raise CheckpointError(f"{path} does not fit the network: {first}") from exc
    return is_new


def _load_backbone(network: nn.Module, architecture: str) -> None:
    if architecture in LITE_ARCHITECTURES:
        backbone = cast(EfficientNetLite, network.backbone)
        name = architecture.removeprefix("deeplabv3_")
        load_lite(backbone, name, torch.tensor(MEAN), torch.tensor(STD))
        return
    try:
        state = torchvision_weights.backbone_state(architecture)
    except (urllib.error.URLError, OSError, RuntimeError) as exc:
        raise BackboneError(
            f"the ImageNet weights of {architecture}'s backbone could not be downloaded ({exc}): "
            "choose --init random, or a checkpoint"
        ) from exc
    cast(nn.Module, network.backbone).load_state_dict(state)
