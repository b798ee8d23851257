"""The first two convolutions, and only what is before them, stay precise."""

import xml.etree.ElementTree as ET
from pathlib import Path

import torch
from torch import nn

from deeplab.engines import import_openvino
from scripts.openvino_ir import MARK, keep_first_convolutions_precise, let_all_be_bf16, write_ir

LAYERS = ("Parameter", "Convolution", "Add", "GroupConvolution", "Add", "Convolution", "Result")


def test_layers_up_to_the_second_convolution_are_marked(tmp_path: Path) -> None:
    """Their rounding would reach every later layer."""
    path = tmp_path / "network.xml"
    rows = "".join(f'<layer type="{kind}"><data/><output/></layer>' for kind in LAYERS)
    path.write_text(f"<net><layers>{rows}</layers></net>")
    keep_first_convolutions_precise(path)
    layers = ET.parse(path).findall("layers/layer")  # noqa: S314 - written above
    marked = [layer.find("rt_info/attribute[@name='precise']") is not None for layer in layers]
    assert marked == [True] * 4 + [False] * 3
    assert [child.tag for child in layers[0]] == ["data", "rt_info", "output"]


def test_the_marks_can_be_taken_off_again(tmp_path: Path) -> None:
    """OpenVINO itself must know them: under another name they would do nothing."""
    write_ir(
        torch.export.export(_two_convolutions(), (torch.zeros(1, 3, 8, 8),)), tmp_path / "a.xml"
    )
    model = import_openvino().Core().read_model(tmp_path / "a.xml")
    assert any(MARK in operation.get_rt_info() for operation in model.get_ops())
    let_all_be_bf16(model)
    assert not any(MARK in operation.get_rt_info() for operation in model.get_ops())


def _two_convolutions() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)).eval()
