"""Networks of segmentation_models.pytorch give its own masks, from its folders and bare weights."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import torch

from scripts.networks.checkpoints import Checkpoint, CheckpointError
from scripts.networks.facts import MEAN, STD, ReadOptions
from scripts.readers.libraries.smp import read
from tests.formats.labels import label_file
from tests.formats.served import REQUIRED, agreement, mean
from tests.formats.smp_files import CLASSES, KINDS, SMALL, make


@pytest.mark.parametrize("kind", KINDS)
def test_masks_from_a_saved_folder_are_the_librarys(kind: str, tmp_path: Path) -> None:
    """save_pretrained tells the network; its encoder tells mean and deviation."""
    made = make(kind)
    made.network.save_pretrained(tmp_path / "saved")
    options = ReadOptions(labels=label_file(tmp_path, CLASSES))
    checkpoint = read(tmp_path / "saved", options)
    assert checkpoint is not None
    assert checkpoint.architecture == f"smp_{KINDS[kind][0].lower()}_{made.encoder}"
    assert mean(agreement(_small(checkpoint), made.mask)) >= REQUIRED


def test_bare_weights_need_the_networks_name(tmp_path: Path) -> None:
    """A trainer's wrapping and its buffers are understood; without --like there is one line."""
    made = make("v3plus", classes=1)
    state = {f"model.{name}": value for name, value in made.network.state_dict().items()}
    state |= {"mean": torch.tensor(MEAN).view(1, 3, 1, 1), "std": torch.tensor(STD)}
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": state, "epoch": 3}, path)
    labels = label_file(tmp_path, 2)
    with pytest.raises(CheckpointError, match="such as --like smp:DeepLabV3Plus:resnet34"):
        read(path, ReadOptions(labels=labels))
    like = "smp:DeepLabV3Plus:resnet18,decoder_channels=64"
    checkpoint = read(path, ReadOptions(labels=labels, like=like, threshold=0.4))
    assert checkpoint is not None
    assert checkpoint.facts is not None
    assert checkpoint.facts.sources["mean"] == "the buffers mean and std in the checkpoint"
    original = partial(made.mask, threshold=0.4)
    assert mean(agreement(_small(checkpoint), original)) >= REQUIRED


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ("smp:DeepLabV3Plus:resnet34", "does not fit DeepLabV3Plus with resnet34"),
        ("smp:DeepLabV4:resnet18", "no network 'DeepLabV4'"),
        ("smp:Unet", "write smp:DeepLabV3Plus:resnet34, or so"),
        ("smp:DeepLabV3Plus:resnet18,stride", "'stride' is not argument=value"),
        ("smp:DeepLabV3Plus:resnet18,stride=8", "DeepLabV3Plus has no argument 'stride'"),
        ("smp:DeepLabV3Plus:nothing", "does not fit DeepLabV3Plus with nothing"),
        ("smp:encoders:resnet18", "no network 'encoders'"),
    ],
)
def test_another_name_is_one_line(like: str, message: str, tmp_path: Path) -> None:
    """A wrong --like says what does not fit."""
    network = smp.DeepLabV3Plus("resnet18", encoder_weights=None, classes=2)
    torch.save(network.state_dict(), tmp_path / "best.pth")
    with pytest.raises(CheckpointError, match=message) as caught:
        read(tmp_path / "best.pth", ReadOptions(labels=label_file(tmp_path, 2), like=like))
    assert "\n" not in str(caught.value)


def test_what_is_not_the_librarys_is_left_to_others(tmp_path: Path) -> None:
    """Another network's weights and an empty folder are no kind of this reader."""
    torch.save({"classifier.weight": torch.zeros(2)}, tmp_path / "other.pth")
    assert read(tmp_path / "other.pth", ReadOptions()) is None
    assert read(tmp_path, ReadOptions()) is None


def _small(checkpoint: Checkpoint) -> Checkpoint:
    assert checkpoint.facts is not None
    return replace(checkpoint, facts=replace(checkpoint.facts, input=SMALL))
