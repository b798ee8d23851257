"""Initial weights: from the chosen source, with a new last layer for other classes."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from deeplab.spec import read_labels
from scripts.networks import torchvision_weights
from scripts.networks.architectures import BUNDLED, BUNDLED_WEIGHTS, VOC_LABELS
from scripts.networks.checkpoints import CheckpointError, build_network
from scripts.networks.imagenet_backbones import BackboneError
from scripts.training.initial_weights import initial_network

LITE0, MOBILENET = "deeplabv3_efficientnet_lite0", "deeplabv3_mobilenet_v3_large"
LAST = "head.classifier.weight"


def _bundled() -> dict[str, Tensor]:
    return {name: value.float() for name, value in load_file(BUNDLED_WEIGHTS).items()}


def _labels(classes: int) -> dict[int, str]:
    """Labels other than Pascal VOC's."""
    return {index: f"class {index}" for index in range(classes)}


def test_the_default_is_the_bundled_model() -> None:
    """With its last layer, because the classes are the same."""
    start = initial_network("default", None, read_labels(VOC_LABELS))
    assert start.architecture == BUNDLED
    assert torch.equal(start.network.state_dict()[LAST], _bundled()[LAST])
    assert start.origin == BUNDLED_WEIGHTS.name


def test_other_classes_get_a_new_last_layer() -> None:
    """All other layers keep their weights."""
    start = initial_network("default", None, _labels(3))
    state, bundled = start.network.state_dict(), _bundled()
    assert state[LAST].shape[0] == 3
    assert torch.equal(state["head.project.weight"], bundled["head.project.weight"])
    assert start.origin.endswith("with a new last layer")


@pytest.mark.parametrize("changed", ["all", "one"])
def test_as_many_other_classes_get_a_new_last_layer(changed: str) -> None:
    """Names decide: "crack" must not start from the weights of "aeroplane"."""
    labels = _labels(21) if changed == "all" else {**read_labels(VOC_LABELS), 1: "crack"}
    start = initial_network("default", None, labels)
    assert not torch.equal(start.network.state_dict()[LAST], _bundled()[LAST])
    assert start.origin.endswith("with a new last layer")


def test_a_checkpoint_is_gone_on_from(tmp_path: Path) -> None:
    """Its architecture is inferred from its parameters."""
    torch.manual_seed(1)
    network = build_network(LITE0, 4)
    path = tmp_path / "mine.safetensors"
    save_file(network.state_dict(), path)
    start = initial_network(str(path), None, _labels(4))
    assert start.architecture == LITE0
    assert torch.equal(start.network.state_dict()[LAST], network.state_dict()[LAST])


def test_imagenet_fills_the_backbone_only() -> None:
    """Two networks share the backbone's weights, but not the head's."""
    one, other = (
        initial_network("imagenet", LITE0, _labels(21)).network.state_dict() for _ in range(2)
    )
    assert torch.equal(one["backbone.stem.weight"], other["backbone.stem.weight"])
    assert not torch.equal(one[LAST], other[LAST])


def test_random_fills_nothing() -> None:
    """All weights are random, for comparisons."""
    one, other = (
        initial_network("random", LITE0, _labels(21)).network.state_dict() for _ in range(2)
    )
    assert not torch.equal(one["backbone.stem.weight"], other["backbone.stem.weight"])


def test_published_weights_are_taken_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of torchvision's networks can be fine-tuned."""
    path = tmp_path / "deeplabv3_mobilenet_v3_large-00000000.pth"
    torch.save(build_network(MOBILENET, 21).state_dict(), path)
    monkeypatch.setattr(torchvision_weights, "fetch_weights", lambda _: path)
    start = initial_network("default", MOBILENET, _labels(5))
    assert start.architecture == MOBILENET
    assert start.network.state_dict()["classifier.4.weight"].shape[0] == 5


def test_an_architecture_without_weights_is_refused() -> None:
    """The error lists the alternatives."""
    with pytest.raises(CheckpointError, match=r"no weights of .*lite1: choose --init imagenet"):
        initial_network("default", "deeplabv3_efficientnet_lite1", _labels(21))


def test_a_checkpoint_of_another_architecture_is_refused() -> None:
    """--model and --init must match."""
    with pytest.raises(CheckpointError, match=f"not of {MOBILENET}"):
        initial_network(str(BUNDLED_WEIGHTS), MOBILENET, _labels(21))


def test_a_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(CheckpointError, match=r"none\.pth: there is no such file"):
        initial_network(str(tmp_path / "none.pth"), None, _labels(21))


def test_a_backbone_that_cannot_be_downloaded_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network the error lists the remedies."""

    def unreachable(_: str) -> dict[str, Tensor]:
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision_weights, "backbone_state", unreachable)
    with pytest.raises(BackboneError, match=r"no route to host.*choose --init random"):
        initial_network("imagenet", MOBILENET, _labels(21))
