"""Precise layers of the IR: everything up to the second convolution, and nothing else."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from scripts.archives.paths import ROOT
from scripts.export.openvino_ir import keep_first_convolutions_precise

FULL = """
import resource, signal, sys
from pathlib import Path
import torch
from scripts.export.openvino_ir import write_ir
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
program = torch.export.export(torch.nn.Conv2d(64, 64, 3), (torch.zeros(1, 64, 8, 8),))
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    write_ir(program, Path(sys.argv[1]))
except OSError as exc:
    print(exc)
"""


@pytest.mark.slow
def test_a_network_that_does_not_fit_on_the_disk_is_an_error_of_the_file(tmp_path: Path) -> None:
    """OpenVINO raises RuntimeError, which would be a traceback."""
    path = tmp_path / "network.xml"
    command = [sys.executable, "-c", FULL, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert str(path) in done.stdout, done.stderr
    assert done.returncode == 0


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
