"""The results of a training: weights, curve, labels and record."""

import csv
import json
import stat
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from scripts.training import results
from tests.child_process import run_with_file_size_limit

ROWS = [
    {"epoch": n, "step": 10 * n, "loss": 1 / n, "miou": 0.1 * n, "pixel_accuracy": 0.5}
    for n in (1, 2, 3)
]


def test_the_weights_are_halved_and_readable(tmp_path: Path) -> None:
    """Floats become fp16, counters stay integers; a container's user can read the file."""
    path = tmp_path / results.WEIGHTS
    results.write_weights(path, {"a": torch.tensor([0.5, 1 / 3]), "n": torch.tensor(7)})
    found = load_file(path)
    assert found["a"].tolist() == torch.tensor([0.5, 1 / 3]).half().tolist()
    assert (found["a"].dtype, int(found["n"])) == (torch.float16, 7)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [each.name for each in tmp_path.iterdir()] == [results.WEIGHTS]


def _write_zeros(path: Path) -> None:
    results.write_weights(path, {"a": torch.zeros(9999)})


@pytest.mark.slow
def test_weights_that_cannot_be_written_name_the_file(tmp_path: Path) -> None:
    """OSError, not the library's own exception; no partial file stays."""
    path = tmp_path / results.WEIGHTS
    with pytest.raises(OSError, match=r"File too large: .*model\.safetensors'$"):
        run_with_file_size_limit(1000, _write_zeros, path)
    assert list(tmp_path.iterdir()) == []


def test_the_curve_is_a_table_and_a_picture(tmp_path: Path) -> None:
    """CSV with a row for each epoch, and PNG."""
    results.write_curve(tmp_path, ROWS)
    with (tmp_path / results.CURVE).open() as file:
        rows = list(csv.DictReader(file))
    assert [row["miou"] for row in rows] == [str(row["miou"]) for row in ROWS]
    plot = Image.open(tmp_path / results.PLOT)
    assert plot.size == (640, 360)
    assert len(plot.convert("RGB").getcolors(1 << 16) or []) > 50


def test_the_record_says_how_it_was_made(tmp_path: Path) -> None:
    """It lies beside the labels, which the archive needs."""
    results.write_facts(tmp_path, {0: "ground", 1: "tree"}, {"miou": 0.5})
    assert json.loads((tmp_path / results.FACTS).read_text())["miou"] == 0.5
    assert json.loads((tmp_path / results.LABELS).read_text()) == {"0": "ground", "1": "tree"}
