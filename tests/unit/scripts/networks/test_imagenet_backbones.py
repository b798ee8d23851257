"""The packages' ImageNet weights give the same features as plain convolutions."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from scripts.networks.architectures import STAGES
from scripts.networks.efficientnet_lite import EfficientNetLite
from scripts.networks.facts import MEAN, STD
from scripts.networks.imagenet_backbones import (
    BackboneError,
    freeze_first_blocks,
    load_lite,
    package_state,
)

MEANS, STDS = torch.tensor(MEAN), torch.tensor(STD)


def _filled(name: str) -> EfficientNetLite:
    backbone = EfficientNetLite(STAGES[name]).eval()
    load_lite(backbone, name, MEANS, STDS)
    return backbone


def _norm(state: dict[str, Tensor], name: str, features: Tensor) -> Tensor:
    return F.batch_norm(
        features,
        state[f"{name}.running_mean"],
        state[f"{name}.running_var"],
        state[f"{name}.weight"],
        state[f"{name}.bias"],
        eps=1e-3,
    )


def _first_layers(state: dict[str, Tensor], image: Tensor) -> Tensor:
    """Stem and first block as the classifier computes them, with its batch normalisation."""
    hidden = F.conv2d(image, state["_conv_stem.weight"], stride=2, padding=1)
    hidden = F.relu6(_norm(state, "_bn0", hidden))
    block = "_blocks.0"
    hidden = F.conv2d(hidden, state[f"{block}._depthwise_conv.weight"], padding=1, groups=32)
    hidden = F.relu6(_norm(state, f"{block}._bn1", hidden))
    hidden = F.conv2d(hidden, state[f"{block}._project_conv.weight"])
    return _norm(state, f"{block}._bn2", hidden)


@pytest.mark.parametrize("name", STAGES)
def test_the_first_layers_agree_with_the_classifier(name: str) -> None:
    """With folding and our normalisation; borders are excluded."""
    torch.manual_seed(0)
    values = torch.randint(0, 256, (1, 3, 64, 64)).float()
    theirs = _first_layers(package_state(name), (values - 127) / 128)
    ours = _filled(name)
    normalised = (values / 255 - MEANS.view(1, 3, 1, 1)) / STDS.view(1, 3, 1, 1)
    with torch.inference_mode():
        features = ours.blocks[0](F.relu6(ours.stem(normalised)))
    inner = (..., slice(2, -2), slice(2, -2))
    assert torch.allclose(features[inner], theirs[inner], atol=1e-3)


@pytest.mark.parametrize("name", STAGES)
def test_every_layer_is_filled(name: str) -> None:
    """load_state_dict is strict: a missing layer would be an error."""
    first, second = _filled(name).state_dict(), _filled(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_package_that_is_missing_is_named() -> None:
    """The error says what to install."""
    with pytest.raises(BackboneError, match=r"efficientnet-lite9-pytorch-model: install"):
        package_state("efficientnet_lite9")


@pytest.mark.parametrize(("stride", "frozen"), [(0, 0), (2, 2), (4, 5), (8, 8)])
def test_the_first_blocks_are_frozen_by_their_resolution(stride: int, frozen: int) -> None:
    """Lite2: stem and one block at half the size, three blocks at a quarter, three at an eighth."""
    backbone = EfficientNetLite(STAGES["efficientnet_lite2"])
    freeze_first_blocks(backbone, stride)
    layers = [backbone.stem, *backbone.blocks]
    fixed = [not any(each.requires_grad for each in layer.parameters()) for layer in layers]
    assert fixed == [True] * frozen + [False] * (len(layers) - frozen)


def test_other_backbones_are_not_frozen() -> None:
    """Their batch normalisation would keep updating its statistics."""
    other = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3))
    freeze_first_blocks(other, 4)
    assert all(each.requires_grad for each in other.parameters())
