"""Quantisation to int8, calibrated on photographs as the network sees them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from deeplab.preprocess import network_size
from deeplab.spec import InputSize
from scripts.export.export_check import photographs
from scripts.export.export_model import export
from scripts.export.model_options import ExportTarget
from scripts.export.quantise import calibration
from tests.unit.tiny import tiny_checkpoint, tiny_network

pytestmark = pytest.mark.slow

# Nothing in so small a network makes up for its rounding.
INT8 = ExportTarget("openvino", "int8", is_checked=False)


def _same(channels: int) -> nn.Conv2d:
    """A convolution that changes nothing."""
    convolution = nn.Conv2d(channels, channels, kernel_size=1, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(torch.eye(channels).view(channels, channels, 1, 1))
    return convolution


def test_all_but_the_first_two_convolutions_are_8_bit(tmp_path: Path) -> None:
    """Read from the artefact: weights of type i8, one for each convolution after the second."""
    network = nn.Sequential(_same(3), _same(3), _same(3), tiny_network()).eval()
    checkpoint = replace(tiny_checkpoint(), network=network)
    result = export(checkpoint, INT8, tmp_path)
    ir = (tmp_path / result.spec.artefact).read_text()
    assert ir.count('type="Convolution"') == 4
    assert ir.count('element_type="i8"') == 2


def test_an_export_in_int8_is_the_same_each_time(tmp_path: Path) -> None:
    """The export is deterministic."""
    network = nn.Sequential(_same(3), _same(3), _same(3), tiny_network()).eval()
    checkpoint, target = replace(tiny_checkpoint(), network=network), INT8
    digests = {export(checkpoint, target, tmp_path / name).spec.sha256 for name in ("a", "b")}
    assert len(digests) == 1


def test_the_ranges_come_from_every_photograph_at_the_networks_size() -> None:
    """uint8 RGB with a batch of one; each photograph in five ways."""
    wanted = InputSize(long_side=97, grid=16)
    pictures = list(calibration(wanted))
    assert len(pictures) == 5 * len(photographs())
    for pixels in pictures:
        assert pixels.dtype == np.uint8
        batch, height, width, channels = pixels.shape
        assert (batch, channels) == (1, 3)
        assert network_size((width, height), wanted) == (width, height)
    whole, dark, bright = pictures[:3]
    assert dark.mean() < whole.mean() < bright.mean()
