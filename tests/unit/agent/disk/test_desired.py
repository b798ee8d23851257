"""The last known desired state on disk: whole, or none."""

from pathlib import Path

import pytest

from agent.disk.desired import NAME, load, save
from agent.messages import Desired, WantedModel, WantedVersion
from tests.child_process import run_with_file_size_limit

VERSIONS = {f"{number}.0": WantedVersion(f"{number:064}", 10, 2) for number in range(1, 4)}
DESIRED = Desired(7, {"deeplabv3": WantedModel("1.0", VERSIONS)})


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    """Every field."""
    save(tmp_path, DESIRED)
    assert load(tmp_path) == DESIRED
    save(tmp_path, Desired(8))
    assert load(tmp_path) == Desired(8)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_at_the_first_start_there_is_none(tmp_path: Path) -> None:
    """Nor in a folder that does not exist."""
    assert load(tmp_path) is None
    assert load(tmp_path / "none") is None


def test_a_half_written_state_is_none(tmp_path: Path) -> None:
    """A gateway is asked, as at the first start."""
    save(tmp_path, DESIRED)
    whole = (tmp_path / NAME).read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / NAME).write_bytes(whole[:length])
        assert load(tmp_path) is None


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"null", b"[]", b"{}", b"3", b'"x"', b'{"models": {}}', b"[" * 9999]
)
def test_a_damaged_state_is_none(tmp_path: Path, content: bytes) -> None:
    """Whatever the disk returns."""
    (tmp_path / NAME).write_bytes(content)
    assert load(tmp_path) is None


def test_a_state_that_was_cut_off_before_its_rename_harms_nothing(tmp_path: Path) -> None:
    """As by a kill; the next one takes its place."""
    save(tmp_path, DESIRED)
    (tmp_path / f"{NAME}.partial").write_text('{"gener')
    assert load(tmp_path) == DESIRED
    save(tmp_path, Desired(8))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def _refused(folder: str) -> bool:
    try:
        save(Path(folder), DESIRED)
    except OSError:
        return True
    return False


@pytest.mark.slow
def test_on_a_full_disk_the_state_before_stays(tmp_path: Path) -> None:
    """The caller is told."""
    save(tmp_path, Desired(6))
    assert run_with_file_size_limit(50, _refused, str(tmp_path))
    assert load(tmp_path) == Desired(6)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
