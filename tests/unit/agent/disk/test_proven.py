"""Archives that have served once."""

from pathlib import Path

import pytest

from agent.disk.proven import Proven


def test_what_served_is_known_after_a_restart(tmp_path: Path) -> None:
    """Nothing else is."""
    path = tmp_path / "proven.json"
    Proven(path).add("a")
    Proven(path).add("b")
    again = Proven(path)
    assert ("a" in again, "b" in again, "c" in again) == (True, True, False)


def test_an_archive_without_a_digest_proves_nothing(tmp_path: Path) -> None:
    """Its file name is of another kind."""
    proven = Proven(tmp_path / "proven.json")
    proven.add("")
    assert "" not in proven
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"3", b"\xff"])
def test_a_damaged_file_proves_nothing(tmp_path: Path, content: bytes) -> None:
    """The archives are loaded step by step, and are proven again."""
    path = tmp_path / "proven.json"
    path.write_bytes(content)
    proven = Proven(path)
    assert "a" not in proven
    proven.add("a")
    assert "a" in Proven(path)


def test_a_folder_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    """It is remembered while the agent runs."""
    proven = Proven(tmp_path / "none" / "proven.json")
    proven.add("a")
    assert "a" in proven


def test_what_does_not_serve_any_more_is_forgotten(tmp_path: Path) -> None:
    """Also after a restart."""
    proven = Proven(tmp_path / "proven.json")
    for each in ("a", "b"):
        proven.add(each)
    for each in ("a", "c"):
        proven.remove(each)
    assert [each in Proven(tmp_path / "proven.json") for each in "abc"] == [False, True, False]
