"""Restarts of one service, with real processes."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts.launch import supervision
from scripts.launch.processes import Child, start, stop
from scripts.launch.supervision import MOST_RESTARTS, ServeError, Service

pytestmark = pytest.mark.slow

ENDS = "print('no port'); raise SystemExit(3)"
# A service that ends and leaves a process behind.
LEAVES = (
    "import subprocess, sys; print(subprocess.Popen("
    "[sys.executable, '-c', 'import time; time.sleep(60)']).pid)"
)
RUNS = "import time; time.sleep(60)"


@pytest.fixture(autouse=True)
def delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short ones."""
    monkeypatch.setattr(supervision, "FIRST_DELAY_S", 0.01)


def service(log: Path, program: str, *, is_needed: bool = True) -> Service:
    """A started service that runs this program of Python."""

    def launch() -> Child:
        return start("page", [sys.executable, "-c", program], os.environ, log)

    found = Service("the page", launch, is_needed=is_needed)
    found.start()
    return found


def watching(watched: Service) -> Iterator[float]:
    """Watch for at most 20 seconds; yields the time after each look."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        watched.watch()
        yield time.monotonic()
        time.sleep(0.01)  # polling another process


def test_a_needed_service_that_ends_at_once_ends_the_product(tmp_path: Path) -> None:
    """After five restarts, whose delays grow; the log has all that it wrote."""
    log = tmp_path / "page.log"
    watched = service(log, ENDS)
    with pytest.raises(ServeError) as caught:
        for _ in watching(watched):
            pass
    assert "ended (status 3)" in str(caught.value)
    assert "no port; see" in str(caught.value)
    assert str(caught.value).endswith("after 5 restarts")
    assert log.read_text() == "no port\n" * (MOST_RESTARTS + 1)


def test_a_service_that_is_not_needed_is_given_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each end and each restart, then nothing happens any more."""
    watched = service(tmp_path / "page.log", ENDS, is_needed=False)
    for _ in watching(watched):
        if watched.is_given_up:
            break
    for _ in range(3):
        watched.watch()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * MOST_RESTARTS + 1
    delays = [line.rpartition(" in ")[2] for line in lines if "; restart " in line]
    assert delays == ["0.01 s", "0.02 s", "0.04 s", "0.08 s", "0.16 s"]
    assert lines[-1].endswith("the API goes on without the page")


def test_a_service_that_ran_long_has_all_its_restarts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ends once a day do not add up."""
    monkeypatch.setattr(supervision, "SOUND_AFTER_S", 0.0)
    watched = service(tmp_path / "page.log", ENDS)
    starts = set[int]()
    for _ in watching(watched):
        starts |= {watched.child.process.pid} if watched.child else set()
        if len(starts) > MOST_RESTARTS + 2:
            break
    assert watched.restarts == 1
    stop([watched.running])


def test_what_a_service_left_behind_is_ended(tmp_path: Path) -> None:
    """It would hold the port, and is no part of the product any more."""
    log = tmp_path / "page.log"
    watched = service(log, LEAVES)
    for _ in watching(watched):
        if watched.restarts:
            break
    left = int(log.read_text().splitlines()[0])
    end = time.monotonic() + 20
    while _runs(left) and time.monotonic() < end:
        time.sleep(0.01)  # polling another process
    assert not _runs(left)


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_service_that_runs_is_left_alone(tmp_path: Path) -> None:
    """Watching changes nothing."""
    watched = service(tmp_path / "page.log", RUNS)
    pid = watched.running.process.pid
    watched.watch(is_starting=True)
    watched.watch()
    assert watched.running.process.pid == pid
    stop([watched.running])


def test_a_service_that_cannot_be_started_again_counts_as_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk ends neither the product at once nor the attempts."""
    folder = tmp_path / "logs"
    folder.mkdir()
    watched = service(folder / "page.log", ENDS, is_needed=False)
    watched.running.process.wait(20)
    watched.watch()
    (folder / "page.log").unlink()
    folder.rmdir()
    for _ in watching(watched):
        if watched.is_given_up:
            break
    lines = capsys.readouterr().out.splitlines()
    assert "the page could not be started: No such file or directory; restart 2 of 5" in lines[1]
    assert lines[-1].endswith("after 5 restarts; the API goes on without the page")


def test_a_service_that_gives_up_while_starting_is_not_started_again(tmp_path: Path) -> None:
    """Its settings are wrong, and one line now is better than six later."""
    watched = service(tmp_path / "page.log", ENDS, is_needed=False)
    watched.running.process.wait(20)
    with pytest.raises(ServeError, match=r"ended \(status 3\): no port; see"):
        watched.watch(is_starting=True)


def test_a_service_that_is_killed_while_starting_is_started_again(tmp_path: Path) -> None:
    """The system's memory ran short, which its settings are not to blame for."""
    watched = service(tmp_path / "page.log", RUNS)
    killed = watched.running.process
    killed.kill()
    killed.wait(20)
    watched.watch(is_starting=True)
    for _ in watching(watched):
        if watched.child is not None:
            break
    assert watched.running.process.pid != killed.pid
    stop([watched.running])
