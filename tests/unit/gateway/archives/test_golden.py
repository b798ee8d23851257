"""Golden masks are read from an archive within limits."""

import io
from pathlib import Path

import pytest

from gateway.archives.golden import MOST_BYTES, MOST_PICTURES, GoldenPicture, read_golden
from gateway.archives.inspection import inspect
from gateway.errors import InvalidArchiveError
from tests.unit.gateway.archives.zip_files import sound_archive


def files(count: int, size: int = 10) -> dict[str, str | bytes]:
    """Photographs with masks, each of so many bytes."""
    names = [f"golden/{number}" for number in range(count)]
    return {f"{name}{kind}": bytes(size) for name in names for kind in (".jpg", ".png")}


def test_photographs_come_with_their_masks() -> None:
    """In the order of their names; what has no mask, or is in a folder, is none."""
    named: dict[str, str | bytes] = {
        "golden/b.jpg": b"B",
        "golden/b.png": b"mask of b",
        "golden/a.jpg": b"A",
        "golden/a.png": b"mask of a",
        "golden/c.jpg": b"C",
        "golden/d.png": b"D",
        "golden/SOURCES.md": "whose they are",
        "elsewhere/e.jpg": b"E",
        "elsewhere/e.png": b"E",
    }
    assert read_golden(io.BytesIO(sound_archive(**named))) == (
        GoldenPicture("a.jpg", b"A", b"mask of a"),
        GoldenPicture("b.jpg", b"B", b"mask of b"),
    )
    assert read_golden(io.BytesIO(sound_archive())) == ()


@pytest.mark.parametrize(
    "many", [files(MOST_PICTURES + 1), files(1, MOST_BYTES // 2 + 1)], ids=["number", "bytes"]
)
def test_more_than_a_gate_takes_is_refused(tmp_path: Path, many: dict[str, str | bytes]) -> None:
    """When the archive is added, and again when it is read: it is one line."""
    path = tmp_path / "a.mar"
    path.write_bytes(sound_archive(**many))
    with pytest.raises(InvalidArchiveError, match=r"golden/ has . photographs"):
        inspect(path)
    with path.open("rb") as file, pytest.raises(InvalidArchiveError):
        read_golden(file)


def test_as_much_as_a_gate_takes_is_read(tmp_path: Path) -> None:
    """The limits themselves are within."""
    path = tmp_path / "a.mar"
    path.write_bytes(sound_archive(**files(MOST_PICTURES, MOST_BYTES // MOST_PICTURES // 2)))
    inspect(path)
    with path.open("rb") as file:
        assert len(read_golden(file)) == MOST_PICTURES


def test_bundled_archives_have_them(archive: Path) -> None:
    """Three photographs with masks and their sources, less than 300 KB together."""
    with archive.open("rb") as file:
        pictures = read_golden(file)
    assert [each.name for each in pictures] == ["moose.jpg", "motorcycle.jpg", "rocket.jpg"]
    sizes = {name: size for name, size in inspect(archive).files.items() if "golden/" in name}
    assert sum(sizes.values()) < 300_000
    assert "golden/SOURCES.md" in sizes
