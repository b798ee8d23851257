"""Golden masks of an archive: what its own workers compute."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeplab.engines import load_engine
from deeplab.pipeline import segment
from deeplab.spec import read_spec
from scripts.archives.golden_masks import FOLDER, NAMES, PHOTOGRAPHS, SOURCES

pytestmark = pytest.mark.slow


def test_masks_are_those_of_a_worker(unpacked: Path) -> None:
    """Of the archive's own network, at the photographs' size."""
    spec = read_spec(unpacked / "model.json")
    engine = load_engine(unpacked / "network", spec, threads=1, device="cpu")
    seen = set[int]()
    for name in NAMES:
        data = (unpacked / FOLDER / name).read_bytes()
        assert data == (PHOTOGRAPHS / name).read_bytes()
        golden = Image.open((unpacked / FOLDER / name).with_suffix(".png"))
        assert (golden.mode, golden.size) == ("L", Image.open(io.BytesIO(data)).size)
        mask = Image.open(io.BytesIO(segment(data, engine, spec.input, 10**8).png))
        agreement = np.mean(np.asarray(golden) == np.asarray(mask))
        assert agreement > 0.99
        seen |= set(np.unique(np.asarray(golden)).tolist())
    assert len(seen) > 3  # masks of background alone would prove nothing


def test_the_sources_name_each_photograph(unpacked: Path) -> None:
    """With author and licence, which lets them be passed on with any network."""
    rows = (unpacked / FOLDER / SOURCES).read_text().splitlines()
    assert len(rows) == 2 + len(NAMES)
    for name in NAMES:
        (row,) = (each for each in rows if f"`{name}`" in each)
        assert "CC0" in row or "public domain" in row


def test_they_are_small(archive: Path) -> None:
    """Less than 300 KB of the archive."""
    with zipfile.ZipFile(archive) as file:
        sizes = [each.compress_size for each in file.infolist() if FOLDER in each.filename]
    assert 0 < sum(sizes) < 300_000
