"""Logs are read as they grow, and do not grow without limit."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.launch import log_files
from scripts.launch.log_files import NewLines, rotate
from scripts.launch.processes import start, stop

# Lines until its log is emptied, and one more.
WRITES = """
import os, time
print("x" * 50, flush=True)
while os.fstat(1).st_size:
    time.sleep(0.01)
print("end", flush=True)
time.sleep(60)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of an earlier service."""
    path = tmp_path / "page.log"
    path.write_text("of another\n")
    return path


def _add(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_only_what_was_added_is_read(log: Path) -> None:
    """Whole lines, from where the service begins; also after it was emptied, or removed."""
    begins, lines = log.stat().st_size, NewLines()
    _add(log, "a\nb")
    assert [each for each in lines.read(log, begins) if each] == ["a"]
    _add(log, "c\nd\x0be\n")
    assert [each for each in lines.read(log, begins) if each] == ["bc", "d\x0be"]
    assert lines.read(log, begins) == [""]
    log.write_text("f\n")
    assert [each for each in lines.read(log, begins) if each] == ["f"]
    log.unlink()
    assert lines.read(log, begins) == [""]


def test_a_large_log_is_emptied_once_it_was_copied(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One former one is kept."""
    monkeypatch.setattr(log_files, "LARGEST", 100)
    former = log.with_name("page.log.1")
    assert not rotate(log)
    assert not former.exists()
    for letter in "xy":
        log.write_text(letter * 101)
        assert rotate(log)
        assert (log.read_text(), former.read_text()) == ("", letter * 101)
    assert {each.name for each in log.parent.iterdir()} == {"page.log", "page.log.1"}
    log.unlink()
    assert not rotate(log)


def test_without_room_for_a_copy_it_is_emptied(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the disk would stay full."""
    monkeypatch.setattr(log_files, "LARGEST", 3)
    log.with_name("page.log.1").symlink_to("/dev/full")
    assert rotate(log)
    assert log.read_text() == ""
    assert not os.path.lexists(log.with_name("page.log.1"))


@pytest.mark.slow
def test_a_service_goes_on_writing_in_the_emptied_log(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its beginning, and what it wrote is found."""
    monkeypatch.setattr(log_files, "LARGEST", 30)
    child = start("page", [sys.executable, "-c", WRITES], os.environ, log)
    try:
        _until(lambda: child.last_lines() == ["x" * 50])
        child.limit_log()
        _until(lambda: child.last_lines() == ["end"])
        child.limit_log()
        assert log.read_bytes() == b"end\n"
        assert "x" * 50 in log.with_name("page.log.1").read_text()
    finally:
        stop([child])


def _until(is_so: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)  # polling another process
