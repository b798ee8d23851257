"""mmsegmentation's checkpoints give the masks of mmsegmentation's own inference."""

from pathlib import Path
from typing import Any

import pytest

from scripts.networks.facts import ReadOptions
from scripts.readers.libraries.mmseg.reader import read
from tests.formats.mmseg_files import CLASSES, PALETTE, make
from tests.formats.served import REQUIRED, agreement, mean

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "mmseg_deeplabv3plus_resnet50": (
        "deeplabv3plus/deeplabv3plus_r50-d8_4xb4-80k_ade20k-512x512.py",
        {},
    ),
    "mmseg_deeplabv3_resnet101": (
        "deeplabv3/deeplabv3_r101-d8_4xb4-80k_ade20k-512x512.py",
        {"model.data_preprocessor.bgr_to_rgb": False},
    ),
    "mmseg_deeplabv3_resnet18": ("deeplabv3/deeplabv3_r18-d8_4xb2-80k_cityscapes-512x1024.py", {}),
    "mmseg_deeplabv3_mobilenet_v2": (
        "mobilenet_v2/mobilenet-v2-d8_deeplabv3_4xb4-160k_ade20k-512x512.py",
        {},
    ),
    "mmseg_deeplabv3plus_mobilenet_v2": (
        "mobilenet_v2/mobilenet-v2-d8_deeplabv3plus_4xb4-160k_ade20k-512x512.py",
        {},
    ),
}


@pytest.mark.parametrize("architecture", KINDS)
def test_masks_are_those_of_mmseg(architecture: str, tmp_path: Path) -> None:
    """The network, its facts, names and colours are found without mmseg's code."""
    made = make(tmp_path, *KINDS[architecture])
    checkpoint = read(made.path, ReadOptions())
    assert checkpoint is not None
    assert checkpoint.architecture == architecture
    assert list(checkpoint.labels.values()) == list(CLASSES)
    assert [list(each) for each in checkpoint.colours] == PALETTE
    assert mean(agreement(checkpoint, made.mask, twice=True)) >= REQUIRED
