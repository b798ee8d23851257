"""Tests of deploy/serving.py, which prepares the store before TorchServe starts, without Docker."""

from pathlib import Path

import pytest

from deploy.serving import offer


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


@pytest.mark.parametrize("before", [None, b"old bytes", b""])
def test_the_store_gets_the_archive_of_a_newer_image(
    archive: Path, store: Path, before: bytes | None
) -> None:
    """Whatever the volume held under that name, it then holds the image's archive."""
    if before is not None:
        (store / archive.name).write_bytes(before)
    offer(archive, store)
    assert [path.name for path in store.iterdir()] == [archive.name]
    assert (store / archive.name).read_bytes() == b"new bytes"


def test_an_equal_archive_is_left_alone(archive: Path, store: Path) -> None:
    """A start without a new image writes nothing; added archives stay."""
    added = store / "deeplabv3-2.0.mar"
    added.write_bytes(b"added by a person")
    offer(archive, store)
    written = (store / archive.name).stat()
    offer(archive, store)
    assert (store / archive.name).stat().st_mtime_ns == written.st_mtime_ns
    assert added.read_bytes() == b"added by a person"
