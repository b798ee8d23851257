"""Precise layers of the IR: everything up to the second convolution, and nothing else."""

import xml.etree.ElementTree as ET
from pathlib import Path

from scripts.export.openvino_ir import keep_first_convolutions_precise

LAYERS = ("Parameter", "Convolution", "Add", "GroupConvolution", "Add", "Convolution", "Result")


def test_layers_up_to_the_second_convolution_are_marked(tmp_path: Path) -> None:
    """Their rounding errors would reach every later layer."""
    path = tmp_path / "network.xml"
    rows = "".join(f'<layer type="{kind}"><data/><output/></layer>' for kind in LAYERS)
    path.write_text(f"<net><layers>{rows}</layers></net>")
    keep_first_convolutions_precise(path)
    layers = ET.parse(path).findall("layers/layer")  # noqa: S314 - written above
    marked = [layer.find("rt_info/attribute[@name='precise']") is not None for layer in layers]
    assert marked == [True] * 4 + [False] * 3
    assert [child.tag for child in layers[0]] == ["data", "rt_info", "output"]
