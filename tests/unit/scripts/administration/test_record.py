"""`segserve evaluate --record`: figures of a version, kept where a promotion asks for them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.archives.archive import read_identity
from scripts.archives.paths import ROOT
from scripts.datasets.voc import list_pairs
from scripts.evaluation.recording import digest_of
from tests.archives import renumbered
from tests.unit.scripts.administration.product import Product
from tests.unit.scripts.commands import command
from tests.unit.scripts.voc_folder import write

versions, evaluate = command("versions"), command("evaluate")
GOLDEN = ROOT / "tests" / "e2e" / "golden"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A photograph with the eager model's mask as truth."""
    folder = tmp_path / "cats"
    photograph = Image.open(ROOT / "ui" / "examples" / "cat.jpg").convert("RGB")
    write(folder, "cat", photograph, np.asarray(Image.open(GOLDEN / "cat.png")))
    return folder


def test_the_figures_of_an_archive_are_recorded(
    product: Product, archive: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under the digest of the data; the list shows the mean IoU."""
    _, version = read_identity(archive)
    assert versions(["add", str(archive)]) == 0
    arguments = ["--data", str(pictures), "--archive", str(archive), "--record"]
    assert evaluate(arguments) == 0
    digest = digest_of(list_pairs(pictures))
    assert f"recorded for version {version} on data {digest[:12]}" in capsys.readouterr().out
    path = f"{product.gateway.version_path(version)}/evaluations"
    (kept,) = product.gateway.items(path)
    assert (kept["data_name"], kept["data_digest"]) == ("cats", digest)
    assert kept["figures"]["per_class"]["cat"] > 0.9
    assert versions(["list", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["evaluations"][0]["miou"] == kept["figures"]["miou"]


def test_another_archive_of_that_name_is_refused_before_it_is_measured(
    product: Product, archive: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its figures would be those of other bytes; also a version that is not there."""
    _, version = read_identity(archive)
    other = renumbered(archive, product.store / "other.mar", version)
    arguments = ["--data", str(pictures), "--archive", str(other), "--record"]
    assert evaluate(arguments) == 1
    assert f"there is no version {version}" in capsys.readouterr().err
    assert versions(["add", str(archive)]) == 0
    assert evaluate(arguments) == 1
    printed = capsys.readouterr()
    assert f"{other} is not the gateway's deeplabv3 {version}" in printed.err
    assert "mIoU" not in printed.out


@pytest.mark.usefixtures("product")
def test_a_checkpoint_is_no_version(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line says what to do."""
    arguments = ["--data", str(pictures), "--model", "deeplabv3_resnet50", "--record"]
    assert evaluate(arguments) == 2
    assert "record the figures of its --archive" in capsys.readouterr().err


def test_the_digest_is_that_of_the_data_alone(pictures: Path, tmp_path: Path) -> None:
    """Neither of its place nor of the rest of the folder; another mask is other data."""
    copied = tmp_path / "elsewhere" / "copied"
    shutil.copytree(pictures, copied)
    (copied / "notes.txt").write_text("more")
    assert digest_of(list_pairs(copied)) == digest_of(list_pairs(pictures))
    (pair,) = list_pairs(copied)
    ids = np.asarray(Image.open(pair.mask)).copy()
    ids[0, 0] ^= 1
    Image.fromarray(ids).save(pair.mask)
    assert digest_of(list_pairs(copied)) != digest_of(list_pairs(pictures))
