"""Tests of deploy/serving.py, which prepares the store before TorchServe starts, without Docker."""

import json
import zipfile
from pathlib import Path

import pytest

from deploy.serving import RECORD, offer


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of the image."""
    path = tmp_path / "image" / "deeplabv3-1.0.mar"
    path.parent.mkdir()
    path.write_bytes(b"new bytes")
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An empty model store."""
    path = tmp_path / "store"
    path.mkdir()
    return path


def packed(path: Path, weights: str, content: str = "") -> Path:
    """An archive with these weights in its provenance."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("provenance.json", json.dumps({"weights": {"sha256": weights}}))
        file.writestr("network", content)
    return path


@pytest.mark.parametrize("before", [None, b""], ids=["absent", "empty"])
def test_the_store_gets_the_archive_of_the_image(
    archive: Path, store: Path, before: bytes | None
) -> None:
    """Nothing but the archive and the record of its digest is left."""
    if before is not None:
        (store / archive.name).write_bytes(before)
    offer(archive, store)
    assert {path.name for path in store.iterdir()} == {archive.name, RECORD}
    assert (store / archive.name).read_bytes() == b"new bytes"


def test_the_archive_of_a_newer_image_replaces_that_of_the_former(
    archive: Path, store: Path
) -> None:
    """Whatever its weights."""
    archive.write_bytes(b"old bytes")
    offer(archive, store)
    archive.write_bytes(b"new bytes")
    offer(archive, store)
    assert (store / archive.name).read_bytes() == b"new bytes"


def test_an_archive_of_an_operator_is_never_replaced(
    archive: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is served as it is, and one line says so, at every start."""
    packed(store / archive.name, "of an operator")
    packed(archive, "of the image")
    there = (store / archive.name).read_bytes()
    for _ in range(2):
        offer(archive, store)
        printed = capsys.readouterr().out
        assert "deeplabv3-1.0.mar is not the image's, and is served as it is" in printed
        assert printed.count("\n") == 1
    assert (store / archive.name).read_bytes() == there


def test_an_archive_of_the_same_weights_is_replaced_by_the_newer_code(
    archive: Path, store: Path
) -> None:
    """Images of before 0.3 left no record."""
    packed(store / archive.name, "bundled", "old")
    packed(archive, "bundled", "new")
    offer(archive, store)
    assert (store / archive.name).read_bytes() == archive.read_bytes()


def test_a_store_that_cannot_be_written_is_left_clean(archive: Path, store: Path) -> None:
    """No partial file stays; the error names the file."""
    (store / f"{archive.name}.building").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        offer(archive, store)
    assert list(store.iterdir()) == []


def test_an_equal_archive_is_left_alone(archive: Path, store: Path) -> None:
    """A start without a new image writes nothing; added archives stay."""
    added = store / "deeplabv3-2.0.mar"
    added.write_bytes(b"added by a person")
    offer(archive, store)
    written = (store / archive.name).stat()
    offer(archive, store)
    assert (store / archive.name).stat().st_mtime_ns == written.st_mtime_ns
    assert added.read_bytes() == b"added by a person"
