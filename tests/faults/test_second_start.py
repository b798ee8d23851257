"""A second start beside a running product, which it leaves alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.test_restarts import segment, until
from tests.stack import PORTS, ROOT, Stack, started, stop, wait_until_ready

SERVE = [sys.executable, "-m", "scripts", "serve"]


def start_again(stack: Stack, command: list[str]) -> tuple[int, list[str]]:
    """(exit status, output) of the same start with the same settings."""
    ports = {f"SEGSERVE_SERVE_{name}_PORT": str(stack.ports[name]) for name in PORTS}
    environment = {**stack.environment, **ports, "SEGSERVE_SERVE_UI": "false"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


def files_of(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Path -> (inode, content) of every file."""
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {path: (path.stat().st_ino, path.read_bytes()) for path in files}


def assert_only_logs_grew(before: dict[Path, tuple[int, bytes]], folder: Path) -> None:
    """Fail if a file is new, gone, another one, or changed but for lines at a log's end."""
    after = files_of(folder)
    assert after.keys() == before.keys()
    for path, (inode, content) in before.items():
        assert after[path][0] == inode, path
        kept = after[path][1][: len(content)] if path.suffix == ".log" else after[path][1]
        assert kept == content, path


def test_a_second_start_touches_nothing_of_the_first(tmp_path: Path) -> None:
    """One line names the process that runs; its logs, tokens and configuration stay."""
    with started(tmp_path, SEGSERVE_SERVE_UI="false") as stack:
        wait_until_ready(stack)
        assert segment(stack) == 200
        before = files_of(tmp_path)
        assert stack.tokens_file in before
        status, lines = start_again(stack, SERVE)
        assert (status, len(lines)) == (1, 1), lines
        assert f"Segserve runs already (process {stack.process.pid})" in lines[0]
        assert_only_logs_grew(before, tmp_path)
        assert segment(stack) == 200
        assert "1.0" in stack.versions("list").stdout


@pytest.mark.parametrize("stage", ["1/4", "2/4"])
def test_a_second_start_does_not_race_with_the_first(tmp_path: Path, stage: str) -> None:
    """The first one has not opened its ports yet."""
    with started(tmp_path, SEGSERVE_SERVE_UI="false") as stack:
        until(lambda: stage in stack.output, stage)
        status, lines = start_again(stack, SERVE)
        assert (status, len(lines)) == (1, 1), lines
        assert f"Segserve runs already (process {stack.process.pid})" in lines[0]
        wait_until_ready(stack)
        assert segment(stack) == 200
        assert stop(stack)[0] == 0
