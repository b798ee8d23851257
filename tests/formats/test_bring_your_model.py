"""Every row of docs/bring-your-model.md, run by the real command on a network of its kind."""

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from scripts.archives.archive import PROVENANCE
from scripts.archives.paths import ROOT
from scripts.evaluation.predictors import ArchivePredictor
from scripts.export.export_check import photographs
from tests.formats.makers.answers import Author
from tests.formats.makers.rows import MAKERS
from tests.formats.page import Result, Row, note, rows
from tests.formats.photographs import Pixels, pictures

REQUIRED = {"auto": 0.995, "fp32": 0.999}
LEAST_CLASSES = 2  # that the masks of all photographs must show together, or the network is none
CLASSES = {"labels.json": ("wall", "floor", "plant", "sky"), "crack.json": ("crack",)}


def build(arguments: Sequence[str], folder: Path, version: str) -> tuple[Path, float]:
    """Run ``segserve build`` in a folder; returns the archive and the seconds that it took."""
    command = [sys.executable, "-m", "scripts", "build", *arguments]
    command += ["--store", "store", "--version", version, "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'handler'}"}
    start = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "store" / f"deeplabv3-{version}.mar", time.monotonic() - start


def agreement(archive: Path, author: Author) -> tuple[float, float]:
    """Shares of pixels with the library's class: at the network's size, and at the picture's.

    The product's last step, NEAREST from the one size to the other, is done with the library's
    masks for the first.
    """
    predictor, classes = ArchivePredictor(archive), set[int]()
    at_input, at_picture = [], []
    for path, picture in zip(photographs(), pictures().values(), strict=True):
        found, wanted = predictor.predict(path.read_bytes()), author.masks(picture)
        classes |= set(np.unique(wanted.at_input).tolist())
        at_input.append(float(np.mean(found == stretched(wanted.at_input, picture.shape))))
        at_picture.append(float(np.mean(found == wanted.at_picture)))
    assert len(classes) >= min(LEAST_CLASSES, len(predictor.labels))
    return float(np.mean(at_input)), float(np.mean(at_picture))


def stretched(mask: Pixels, shape: tuple[int, ...]) -> Pixels:
    """A mask at another (height, width, ...): each pixel shows the one at its centre."""
    rows, columns = (
        (2 * np.arange(wanted) + 1) * given // (2 * wanted)
        for wanted, given in zip(shape, mask.shape, strict=False)
    )
    found: Pixels = mask[rows[:, np.newaxis], columns]
    return found


def proof(archive: Path) -> float:
    """The agreement with the original that the archive states, averaged over photographs."""
    with zipfile.ZipFile(archive) as file:
        shares = json.loads(file.read(PROVENANCE))["agreement_with_eager"]
    assert len(shares) == len(photographs())
    return float(np.mean(list(shares.values())))


def test_each_row_has_a_maker() -> None:
    """And each maker a row, so that none is left out."""
    assert sorted(row.file for row in rows()) == sorted(MAKERS)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("row", rows(), ids=lambda row: row.file)
def test_a_row_gives_the_masks_of_its_library(row: Row, tmp_path: Path) -> None:
    """As it stands, 99.5 % of the pixels; with --precision fp32, 99.9 %."""
    for name, classes in CLASSES.items():
        (tmp_path / name).write_text(json.dumps(classes))
    author = MAKERS[row.file](tmp_path / row.file)
    mine = []
    for version, precision in (("1.0", "auto"), ("2.0", "fp32")):
        archive, seconds = build([*row.arguments, "--precision", precision], tmp_path, version)
        shares = agreement(archive, author)
        mine.append(Result(row, precision, proof(archive), *shares, seconds))
    note(mine)
    reached = {each.precision: min(each.proof, each.at_input) for each in mine}
    assert {name: share for name, share in reached.items() if share < REQUIRED[name]} == {}
