"""Checks of the model store: each archive is sound, or its finding says what is wrong."""

import json
import zipfile
from pathlib import Path

import pytest

from scripts.diagnostics.finding import Level
from scripts.diagnostics.store import check_archive, check_store


def _archive(folder: Path, manifest: object) -> Path:
    path = folder / "deeplabv3-1.0.mar"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
    return path


def test_a_sound_archive_is_named_with_its_version(tmp_path: Path) -> None:
    """The version is the manifest's."""
    _archive(tmp_path, {"model": {"modelName": "deeplabv3", "modelVersion": "1.0"}})
    (finding,) = check_store(tmp_path)
    assert (finding.level, finding.text) == (
        Level.OK,
        "deeplabv3-1.0.mar is sound: deeplabv3 1.0",
    )


@pytest.mark.parametrize("manifest", [{}, {"model": []}, {"model": {}}, {"model": None}])
def test_a_manifest_that_names_no_version_is_wrong(tmp_path: Path, manifest: object) -> None:
    """The finding is one line, not a traceback."""
    finding = check_archive(_archive(tmp_path, manifest))
    assert finding.level is Level.WRONG


def test_a_damaged_archive_is_wrong(tmp_path: Path) -> None:
    """The finding says how to repair it."""
    path = _archive(tmp_path, {"model": {}})
    path.write_bytes(path.read_bytes()[:-9])
    finding = check_archive(path)
    assert finding.level is Level.WRONG
    assert "`segserve build --force` replaces it" in finding.text


def test_a_store_without_archives_is_a_note(tmp_path: Path) -> None:
    """A store that does not exist yet is a note too."""
    for store in (tmp_path, tmp_path / "none"):
        (finding,) = check_store(store)
        assert finding.level is Level.NOTE
        assert "`segserve serve`" in finding.text


def test_a_store_that_is_a_file_is_wrong(tmp_path: Path) -> None:
    """Nothing can be built there."""
    (tmp_path / "store").touch()
    (finding,) = check_store(tmp_path / "store")
    assert finding.level is Level.WRONG
    assert "--model-store" in finding.text
