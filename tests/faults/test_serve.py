"""The one command: how it ends, and what it says when it cannot run."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from scripts.build_archive import build, parse
from scripts.places import MODEL_STORE
from tests.archives import renumbered
from tests.stack import ROOT, alive, ended, start, stop, wait_until_ready

ENDS_WITHIN_S = 90.0


def complaint(output: str) -> str:
    """The one line that says why."""
    lines = [line for line in output.splitlines() if line.startswith("segserve: cannot run: ")]
    assert len(lines) == 1, output
    return lines[0]


def test_interrupt_stops_everything(tmp_path: Path) -> None:
    """Ctrl-C ends all parts, with status 0."""
    stack = start(tmp_path)
    wait_until_ready(stack)
    started = stack.descendants()
    assert len(started) >= 5
    status, output = stop(stack)
    assert status == 0, output
    assert alive(started) == []


def test_interrupt_while_starting_stops_everything(tmp_path: Path) -> None:
    """Nobody has to wait for readiness to change his mind."""
    stack = start(tmp_path)
    end = time.monotonic() + ENDS_WITHIN_S
    while "starting the gateway" not in stack.output and time.monotonic() < end:
        time.sleep(0.05)  # polling another process
    started = stack.descendants()
    status, output = stop(stack)
    assert status == 0, output
    assert alive(started) == []


def test_killed_supervisor_takes_its_children_along(tmp_path: Path) -> None:
    """Even kill -9 of the command leaves no server behind."""
    stack = start(tmp_path, SEGSERVE_SERVE_UI="true")
    wait_until_ready(stack)
    started = stack.descendants()
    stack.process.send_signal(signal.SIGKILL)
    stack.process.wait(30)
    end = time.monotonic() + 30
    while alive(started) and time.monotonic() < end:
        time.sleep(0.2)  # polling other processes
    assert alive(started) == []


@pytest.mark.parametrize("name", ["GATEWAY", "UI", "INFERENCE", "MANAGEMENT", "METRICS"])
def test_port_in_use_is_named_with_its_setting(tmp_path: Path, name: str) -> None:
    """The line names the port and the variable that chooses another."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        variable = f"SEGSERVE_SERVE_{name}_PORT"
        status, output = ended(start(tmp_path, **{variable: port}), ENDS_WITHIN_S)
    assert status == 1
    assert port in complaint(output)
    assert variable in complaint(output)


def test_too_little_memory_is_told_before_anything_starts(tmp_path: Path) -> None:
    """The line says how much is needed."""
    status, output = ended(start(tmp_path, SEGSERVE_SERVE_MIN_MEMORY_MB="999999999"), ENDS_WITHIN_S)
    assert status == 1
    assert "999999999 MB are needed" in complaint(output)


def test_nonsense_in_a_setting_is_told(tmp_path: Path) -> None:
    """The line names the variable."""
    status, output = ended(start(tmp_path, SEGSERVE_SERVE_WORKERS="many"), ENDS_WITHIN_S)
    assert status == 1
    assert "SEGSERVE_SERVE_WORKERS" in complaint(output)


def test_unknown_model_is_told(tmp_path: Path) -> None:
    """The line above the complaint lists the models that exist."""
    status, output = ended(start(tmp_path, MODEL="deeplabv9"), ENDS_WITHIN_S)
    assert status == 1
    assert "deeplabv3_resnet101" in output
    assert complaint(output)


@pytest.mark.parametrize("name", ["gateway", "streamlit", "org.pytorch.serve.ModelServer"])
def test_dead_part_ends_everything_and_is_named(tmp_path: Path, name: str) -> None:
    """A part that dies takes the command down, with a line about it, and nothing is left."""
    stack = start(tmp_path)
    wait_until_ready(stack)
    started = stack.descendants()
    victim = next(process for process in started if name in process.cmdline())
    victim.send_signal(signal.SIGKILL)
    status, output = ended(stack, ENDS_WITHIN_S)
    assert status == 1
    assert "ended (status -9)" in complaint(output)
    assert alive(started) == []


def test_archive_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    """An archive with a damaged network ends the command with a line, not a restart loop."""
    store = tmp_path / "store"
    store.mkdir()
    build(parse([])[0])
    name = "deeplabv3-1.0.mar"
    renumbered(MODEL_STORE / name, store / name, "1.0", broken=True)
    stack = start(tmp_path / "run", SEGSERVE_SERVE_MODEL_STORE=str(store))
    status, output = ended(stack, ENDS_WITHIN_S)
    assert status == 1
    assert "cannot serve the archive" in complaint(output)


def test_damaged_archive_is_built_again(tmp_path: Path) -> None:
    """A file cut short is noticed and replaced; nobody has to delete it by hand."""
    archive = tmp_path / "deeplabv3-1.0.mar"
    shutil.copyfile(MODEL_STORE / "deeplabv3-1.0.mar", archive)
    os.truncate(archive, archive.stat().st_size // 2)
    command = [sys.executable, "-m", "scripts.build_archive", "--store", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "built" in done.stdout.splitlines()[-1]
    assert zipfile.ZipFile(archive).testzip() is None
