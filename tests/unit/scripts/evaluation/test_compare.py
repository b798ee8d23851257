"""The original and its archive on the same labelled pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scripts.evaluation.compare import compare
from scripts.export import build_archive
from scripts.export.fingerprint import Archive
from scripts.export.model_options import ExportTarget
from scripts.networks.architectures import ModelChoice
from tests.unit.scripts.voc_folder import make
from tests.unit.tiny import LABELS, tiny_checkpoint

pytestmark = pytest.mark.slow


class _Nothing:
    """A model that finds nothing."""

    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(height, width, 3) uint8 -> (4, height, width) float32, background everywhere."""
        logits = np.zeros((len(LABELS), *image.shape[:2]), dtype=np.float32)
        logits[0] = 1
        return logits


def test_both_are_measured_class_by_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same network gives the same figures; another original gives its own."""
    monkeypatch.setattr(build_archive, "load_checkpoint", lambda _choice: tiny_checkpoint())
    target = ExportTarget("openvino", "f32")
    archive = Archive(ModelChoice(), target, "tiny", "2.0", tmp_path / "store")
    build_archive.build(archive)
    data = make(tmp_path / "pictures", 4)

    lines = compare(tiny_checkpoint(), archive.path, data).splitlines()
    assert lines[0] == "on 4 labelled pictures:"
    rows = {line.split()[0]: line.split()[-2:] for line in lines[2:]}
    for before, after in rows.values():
        assert before == after == "-" or abs(float(before) - float(after)) < 0.005
    assert float(rows["red"][0]) > 0.5

    other = compare(replace(tiny_checkpoint(), original=_Nothing()), archive.path, data)
    rows = {line.split()[0]: line.split()[-2:] for line in other.splitlines()[2:]}
    assert rows["red"][0] == "0.000"
    assert float(rows["red"][1]) > 0.5
