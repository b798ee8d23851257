"""The run folder: one holder at a time, and logs of former starts within two limits."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.archives.paths import ROOT
from scripts.launch.run_folder import (
    KEPT_BYTES,
    KEPT_STARTS,
    LATEST,
    RunFolderError,
    held,
    logs_of_this_start,
    remove_oldest,
)

HOLD = (
    "import sys, pathlib; from scripts.launch.run_folder import held\n"
    "with held(pathlib.Path(sys.argv[1])):\n"
    "    print('held', flush=True); input()\n"
)


def test_a_folder_has_one_holder(tmp_path: Path) -> None:
    """The line names the process; the folder is free again afterwards."""
    folder = tmp_path / "new" / "server"
    refused = pytest.raises(RunFolderError, match=rf"runs already \(process {os.getpid()}\)")
    with held(folder), refused, held(folder):
        pass
    with held(folder):
        pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    """However the process ends; the line names it while it runs."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(RunFolderError, match=rf"\(process {process.pid}\)"), held(tmp_path):
            pass
        process.kill()
    with held(tmp_path):
        pass


def test_each_start_has_logs_of_its_own(tmp_path: Path) -> None:
    """Also two starts within a second; ``latest`` leads to the last one."""
    with logs_of_this_start(tmp_path) as first:
        (first / "gateway.log").write_text("first")
    with logs_of_this_start(tmp_path) as second:
        assert list(second.iterdir()) == []
        assert (tmp_path / "logs" / LATEST).resolve() == second
    assert (first / "gateway.log").read_text() == "first"


def former(parent: Path, count: int, size: int = 0) -> list[Path]:
    """Logs of former starts, the oldest first."""
    folders = [parent / f"2026-01-{day:02}T10-00-00Z" for day in range(1, count + 1)]
    for folder in folders:
        folder.mkdir(parents=True)
        with (folder / "gateway.log").open("wb") as log:
            log.truncate(size)
    return folders


def test_the_oldest_logs_go(tmp_path: Path) -> None:
    """Beyond a number of starts, and nothing else in the folder."""
    parent = tmp_path / "logs"
    folders = former(parent, KEPT_STARTS + 3)
    (parent / "2025-mine").mkdir()
    with logs_of_this_start(tmp_path) as own:
        left = {each for each in parent.iterdir() if each.name != LATEST}
    assert left == {*folders[3:], parent / "2025-mine", own}


def test_large_logs_go_but_not_those_of_the_last_start(tmp_path: Path) -> None:
    """A crash can be explained, however much the product wrote."""
    folders = former(tmp_path, 3, KEPT_BYTES + 1)
    remove_oldest(tmp_path, besides=tmp_path / "own")
    assert [each.exists() for each in folders] == [False, False, True]


def test_logs_of_a_product_that_runs_stay(tmp_path: Path) -> None:
    """However many others start after it in the same run folder, with other ports."""
    with logs_of_this_start(tmp_path) as running:
        later = [running.with_name(f"2999-01-{n:02}T10-00-00Z") for n in range(1, KEPT_STARTS + 3)]
        for each in later:
            each.mkdir()
        remove_oldest(running.parent, besides=later[-1])
        assert running.exists()
        assert not later[0].exists()
    remove_oldest(running.parent, besides=later[-1])
    assert not running.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One line, with the setting that chooses another."""
    (tmp_path / "file").write_text("")
    for context in (held(tmp_path / "file" / "server"), logs_of_this_start(tmp_path / "file")):
        refused = pytest.raises(RunFolderError, match=re.escape(str(tmp_path / "file")))
        with refused as caught, context:
            pass
        assert "SEGSERVE_SERVE_RUN_DIR" in str(caught.value)
