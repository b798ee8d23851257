"""Every way of saving a checkpoint: the same masks, or one line, and no code is executed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from scripts.networks import torchvision_weights
from scripts.networks.architectures import ModelChoice
from scripts.networks.checkpoints import CheckpointError
from scripts.readers.chain import load_checkpoint
from tests.unit.scripts.readers.ways_of_saving import (
    REFUSED,
    RIGHT,
    ROUNDED,
    Network,
    Way,
    prefixed,
)

pytestmark = pytest.mark.slow
ARCHITECTURE = "deeplabv3_mobilenet_v3_large"
IMAGE = torch.rand(1, 3, 65, 81, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def network() -> Network:
    """Random weights, normalised by a batch, so that the masks have several classes."""
    torch.manual_seed(0)
    build = getattr(torchvision_weights._segmentation(), ARCHITECTURE)
    whole = build(weights=None, weights_backbone=None, num_classes=21, aux_loss=False).train()
    for module in whole.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # take all of the batch's statistics
    with torch.no_grad():
        whole(torch.rand(4, 3, 65, 81))
    return Network(dict(whole.eval().state_dict()), whole)


@pytest.fixture(scope="module")
def mask(network: Network) -> NDArray[np.int64]:
    """The network's own."""
    ids = _mask(
        torchvision_weights.LowResolutionLogits(
            network.whole.get_submodule("backbone"), network.whole.get_submodule("classifier")
        )
    )
    assert len(np.unique(ids)) > 1, "one class everywhere agrees with anything"
    return ids


def _mask(network: nn.Module) -> NDArray[np.int64]:
    with torch.inference_mode():
        ids: NDArray[np.int64] = network(IMAGE).argmax(dim=1).numpy()
    return ids


def _saved(way: Way, network: Network, folder: Path) -> Path:
    path = folder / "mine.pth"
    way(network, path)
    return path


@pytest.mark.parametrize("way", RIGHT.values(), ids=RIGHT)
def test_the_masks_are_the_networks_own(
    way: Way, network: Network, mask: NDArray[np.int64], tmp_path: Path
) -> None:
    """Whatever is around the tensors; nothing of it runs."""
    checkpoint = load_checkpoint(ModelChoice(weights=_saved(way, network, tmp_path)))
    assert checkpoint.architecture == ARCHITECTURE
    assert not checkpoint.network.training
    assert np.array_equal(_mask(checkpoint.network), mask)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("way", ROUNDED.values(), ids=ROUNDED)
def test_rounded_weights_are_served_in_f32(
    way: Way, network: Network, mask: NDArray[np.int64], tmp_path: Path
) -> None:
    """Half precision changes few pixels."""
    checkpoint = load_checkpoint(ModelChoice(weights=_saved(way, network, tmp_path)))
    assert {each.dtype for each in checkpoint.network.parameters()} == {torch.float32}
    assert np.mean(_mask(checkpoint.network) == mask) > 0.9


@pytest.mark.parametrize(("way", "words"), REFUSED.values(), ids=REFUSED)
def test_anything_else_gets_one_line(
    way: Way, words: str, network: Network, tmp_path: Path
) -> None:
    """The line names the fault and what to do; no code runs."""
    path = _saved(way, network, tmp_path)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_checkpoint(ModelChoice(weights=path))
    assert len(str(caught.value).splitlines()) == 1
    assert str(path) in str(caught.value)
    assert not (tmp_path / "mark").exists()


def test_the_planted_code_would_run_elsewhere(network: Network, tmp_path: Path) -> None:
    """The tests above can fail."""
    path = _saved(RIGHT["code beside it"], network, tmp_path)
    torch.load(path, weights_only=False)
    assert (tmp_path / "mark").is_dir()


def test_the_provenance_says_which_network_was_taken(network: Network, tmp_path: Path) -> None:
    """A moving average before the network that it averages."""
    path = _saved(RIGHT["moving average"], network, tmp_path)
    origin = load_checkpoint(ModelChoice(weights=path)).origin
    assert origin == "the user's checkpoint mine.pth, 'model_ema' (not taken: 'model')"


@pytest.mark.parametrize("name", ["0.mean", "net._pixel_mean", "module.model.image_mean"])
@pytest.mark.parametrize("unit", [1.0, 255.0])
def test_a_network_that_normalises_by_itself_says_how(
    name: str, unit: float, network: Network, tmp_path: Path
) -> None:
    """By the buffers beside its parameters, in 0..1 or in 0..255."""
    mean, std = torch.tensor([0.5, 0.25, 0.75]), torch.tensor([0.25, 0.5, 0.125])
    buffers = {name: mean.view(3, 1, 1) * unit, name.replace("mean", "std"): std * unit}
    torch.save({**buffers, **prefixed("net.", network.state)}, tmp_path / "mine.pth")
    facts = load_checkpoint(ModelChoice(weights=tmp_path / "mine.pth")).facts
    assert facts is not None
    assert (facts.mean, facts.std) == ((0.5, 0.25, 0.75), (0.25, 0.5, 0.125))
    assert facts.sources["mean"].startswith(f"the buffers {name} and ")


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        (torch.ones(3), None),
        (torch.ones(4), torch.ones(4)),
        (torch.ones(3), torch.zeros(3)),
        (torch.full((3,), float("nan")), torch.ones(3)),
        (torch.ones(3, dtype=torch.int64), torch.ones(3)),
    ],
)
def test_what_is_no_normalisation_is_none(
    mean: torch.Tensor, std: torch.Tensor | None, network: Network, tmp_path: Path
) -> None:
    """The recipe's stays."""
    beside = {"loss.mean": mean} | ({} if std is None else {"loss.std": std})
    torch.save({**beside, **prefixed("net.", network.state)}, tmp_path / "mine.pth")
    facts = load_checkpoint(ModelChoice(weights=tmp_path / "mine.pth")).facts
    assert facts is not None
    assert facts.sources["mean"] == "torchvision's published recipe"


def test_what_weights_cannot_show_is_said(network: Network, tmp_path: Path) -> None:
    """A network with other rates has the same names and shapes."""
    path = _saved(RIGHT["bare"], network, tmp_path)
    assumption = load_checkpoint(ModelChoice(weights=path)).assumption
    assert "ASPP's rates and the backbone's strides are torchvision's" in assumption
    assert load_checkpoint(ModelChoice()).assumption == ""
