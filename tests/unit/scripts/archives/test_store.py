"""Getting an archive into the model store: whole, replacing nothing, leaving nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.archives.paths import ROOT
from scripts.archives.store import StoreError, in_store, locked


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """An archive outside of the store."""
    path = tmp_path / "mine.mar"
    path.write_bytes(b"x" * 10_000)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An empty model store."""
    path = tmp_path / "store"
    path.mkdir()
    return path


def test_a_copy_can_be_read_by_others(given: Path, store: Path) -> None:
    """TorchServe may run as another user."""
    with in_store(given, store, "m-1.mar") as path:
        assert path.stat().st_mode & 0o777 == 0o644
        assert path.read_bytes() == given.read_bytes()
    assert list(store.iterdir()) == [path]


def test_what_is_put_there_meanwhile_is_not_replaced(given: Path, store: Path) -> None:
    """By another command, between the look and the copy."""
    (store / "m-1.mar").symlink_to(store / "absent")  # does not exist, but its name is taken
    with pytest.raises(StoreError, match="just put there"), in_store(given, store, "m-1.mar"):
        pass
    assert [path.name for path in store.iterdir()] == ["m-1.mar"]


LIMITED = """
import resource, signal, sys
from pathlib import Path
from scripts.archives.store import in_store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
with in_store(Path(sys.argv[1]), Path(sys.argv[2]), "m-1.mar"):
    pass
"""


def test_a_copy_that_does_not_fit_is_one_error_and_no_file(given: Path, store: Path) -> None:
    """As on a full disk."""
    command = [sys.executable, "-c", LIMITED, str(given), str(store)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("scripts.archives.store.StoreError: mine.mar cannot be copied into")
    assert list(store.iterdir()) == []


@pytest.mark.parametrize("place", ["/proc/self", "/dev/null/store"])
def test_a_store_that_cannot_be_written_is_one_error(given: Path, place: str) -> None:
    """Also for root, whom modes do not stop."""
    with (
        pytest.raises(StoreError, match=r"mine\.mar cannot be copied into"),
        in_store(given, Path(place), "m-1.mar"),
    ):
        pass


def test_an_archive_that_cannot_be_read_is_one_error(store: Path, tmp_path: Path) -> None:
    """The copy is not left half done."""
    with pytest.raises(StoreError, match="cannot be copied"), in_store(tmp_path, store, "m-1.mar"):
        pass
    assert list(store.iterdir()) == []


def test_a_lock_is_waited_for(store: Path) -> None:
    """Commands that add take turns; the lock leaves no file."""
    program = (
        "import sys; from pathlib import Path; from scripts.archives.store import locked\n"
        "with locked(Path(sys.argv[1])): print('locked', flush=True)"
    )
    command = [sys.executable, "-c", program, str(store)]
    with locked(store):
        other = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        os.set_blocking(other.stdout.fileno(), False)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(1.0)
    assert other.wait(30) == 0
    other.stdout.close()
    assert list(store.iterdir()) == []
