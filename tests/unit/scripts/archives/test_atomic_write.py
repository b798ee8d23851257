"""Atomic writes: the file is complete or unchanged, and errors name it."""

import os
import re
from pathlib import Path

import pytest
import torch

from scripts.archives.atomic_write import atomic_write
from tests.child_process import run_with_file_size_limit

pytestmark = pytest.mark.slow

LIMIT = 4096  # bytes


def test_the_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """The old content stays until the end; no other file is left."""
    path = tmp_path / "state.pt"
    path.write_bytes(b"before")
    with atomic_write(path) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


def test_content_reaches_the_disk_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content, then name are flushed: otherwise a power failure may leave an empty file."""
    path, done = tmp_path / "state.pt", list[tuple[str, str]]()
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        done.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        assert os.fstat(descriptor).st_size >= len(b"content")
        fsync(descriptor)

    def renamed(before: Path, after: Path) -> Path:
        done.append(("replace", str(after)))
        return replace(before, after)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    with atomic_write(path) as file:
        file.write(b"content")
    assert done == [
        ("fsync", str(tmp_path / "state.pt.partial")),
        ("replace", str(path)),
        ("fsync", str(tmp_path)),
    ]


def _write(path: Path, size: int, by: str) -> None:
    with atomic_write(path) as file:
        if by == "torch":
            torch.save(torch.zeros(size, dtype=torch.uint8), file)
        else:
            file.write(b"x" * size)


@pytest.mark.parametrize("size", [LIMIT + 1, 100 * LIMIT])
@pytest.mark.parametrize("by", ["hand", "torch"])
def test_a_full_disk_is_one_line_that_names_the_file(tmp_path: Path, size: int, by: str) -> None:
    """Torch's own message gives a position only; the old file stays, the partial one is removed."""
    path = tmp_path / "state.pt"
    path.write_bytes(b"before")
    with pytest.raises(OSError, match=re.escape(f"[Errno 27] File too large: '{path}'")):
        run_with_file_size_limit(LIMIT, _write, path, size, by)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_other_words_of_torchs_are_kept_in_one_line(tmp_path: Path) -> None:
    """Without an error of the system, torch's message is kept, in one line."""
    path = tmp_path / "state.pt"
    expected = r"state\.pt: could not be written \(enforce fail\)$"
    with pytest.raises(OSError, match=expected), atomic_write(path):
        raise RuntimeError("enforce fail\nframe #0")
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    """An interruption is not reported as a failure to write."""
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "state.pt"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The error names the file that was to be written there."""
    path = tmp_path / "none" / "state.pt"
    with pytest.raises(FileNotFoundError) as failed, atomic_write(path):
        pass
    assert failed.value.filename == str(path)
