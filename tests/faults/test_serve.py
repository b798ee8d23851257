"""The supervisor's ends: interrupts, start-up failures, and services that die."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.archives import renumbered
from tests.stack import ROOT, alive, bundled_archive, ended, started, stop, wait_until_ready

ENDS_WITHIN_S = 90.0


def complaint(output: str) -> str:
    """The line that gives the reason."""
    lines = [line for line in output.splitlines() if line.startswith("segserve: cannot run: ")]
    assert len(lines) == 1, output
    return lines[0]


def outcome(run_dir: Path, **env: str) -> tuple[int, str]:
    """(exit status, output) where the product cannot run."""
    with started(run_dir, **env) as stack:
        return ended(stack, ENDS_WITHIN_S)


def of_run(run_dir: Path) -> list[psutil.Process]:
    """Every process of a run, including those that lost their parent."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.AccessDenied, psutil.NoSuchProcess):
            if process.environ().get("SEGSERVE_SERVE_RUN_DIR") == str(run_dir):
                found.append(process)
    return found


def test_interrupt_stops_everything(tmp_path: Path) -> None:
    """Ctrl-C ends all services, with status 0."""
    with started(tmp_path) as stack:
        wait_until_ready(stack)
        parts = stack.descendants()
        assert len(parts) >= 5
        status, output = stop(stack)
    assert status == 0, output
    assert alive(parts) == []


def test_interrupt_while_starting_stops_everything(tmp_path: Path) -> None:
    """Ctrl-C works before the product is ready."""
    with started(tmp_path) as stack:
        end = time.monotonic() + ENDS_WITHIN_S
        while "starting the gateway" not in stack.output and time.monotonic() < end:
            time.sleep(0.05)  # polling another process
        assert len(of_run(tmp_path)) >= 2
        status, output = stop(stack)
    assert status == 0, output
    assert "starting the gateway" in output
    assert "ready after" not in output
    assert alive(of_run(tmp_path)) == []


def test_killed_supervisor_takes_its_children_along(tmp_path: Path) -> None:
    """Even kill -9 of the supervisor leaves no process behind."""
    with started(tmp_path, SEGSERVE_SERVE_UI="true") as stack:
        wait_until_ready(stack)
        parts = stack.descendants()
        stack.process.send_signal(signal.SIGKILL)
        stack.process.wait(30)
    end = time.monotonic() + 30
    while alive(parts) and time.monotonic() < end:
        time.sleep(0.2)  # polling other processes
    assert alive(parts) == []


@pytest.mark.parametrize("name", ["GATEWAY", "UI", "INFERENCE", "MANAGEMENT", "METRICS"])
def test_port_in_use_is_named_with_its_setting(tmp_path: Path, name: str) -> None:
    """The line names the port and the variable that chooses another."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        variable = f"SEGSERVE_SERVE_{name}_PORT"
        status, output = outcome(tmp_path, **{variable: port, "SEGSERVE_SERVE_METRICS": "true"})
    assert status == 1
    assert port in complaint(output)
    assert variable in complaint(output)


def test_too_little_memory_is_reported_before_anything_starts(tmp_path: Path) -> None:
    """The line says how much is needed."""
    status, output = outcome(tmp_path, SEGSERVE_SERVE_MIN_MEMORY_MB="999999999")
    assert status == 1
    assert "999999999 MB are needed" in complaint(output)


def test_an_invalid_setting_is_reported(tmp_path: Path) -> None:
    """The line names the variable."""
    status, output = outcome(tmp_path, SEGSERVE_SERVE_WORKERS="many")
    assert status == 1
    assert "SEGSERVE_SERVE_WORKERS" in complaint(output)


def test_unknown_model_is_reported(tmp_path: Path) -> None:
    """The line above it lists the models that exist."""
    status, output = outcome(tmp_path, SEGSERVE_MODEL="deeplabv9")
    assert status == 1
    assert "deeplabv3_resnet101" in output
    assert complaint(output)


def test_archive_that_cannot_be_loaded_is_reported(tmp_path: Path) -> None:
    """A damaged network ends the command with a line instead of a restart loop."""
    store = tmp_path / "store"
    store.mkdir()
    sound = bundled_archive()
    renumbered(sound, store / sound.name, "1.0", broken=True)
    status, output = outcome(tmp_path / "run", SEGSERVE_SERVE_MODEL_STORE=str(store))
    assert status == 1
    assert "cannot serve the archive" in complaint(output)


def test_an_archive_of_another_origin_is_served_as_it_is(tmp_path: Path) -> None:
    """A start without the options of its model does not replace it; one line says so."""
    archive = tmp_path / "deeplabv3-1.0.mar"
    with zipfile.ZipFile(bundled_archive()) as old, zipfile.ZipFile(archive, "w") as new:
        for name in old.namelist():
            if name != "provenance.json":
                new.writestr(name, old.read(name))
    before = archive.read_bytes()
    store = {"SEGSERVE_SERVE_MODEL_STORE": str(tmp_path), "SEGSERVE_SERVE_UI": "false"}
    with started(tmp_path / "run", **store) as stack:
        wait_until_ready(stack)
        said = [line for line in stack.output.splitlines() if "is kept as it is" in line]
    assert len(said) == 1
    assert "was not built by Segserve" in said[0]
    status, output = outcome(tmp_path / "chosen", **store, SEGSERVE_PRECISION="fp32")
    assert status == 1
    assert "is not overwritten: take another --version, or --force" in output
    assert complaint(output)
    assert archive.read_bytes() == before


def test_damaged_archive_is_built_again(tmp_path: Path) -> None:
    """A truncated archive is detected and rebuilt without manual work."""
    archive = Path(shutil.copy(bundled_archive(), tmp_path))
    os.truncate(archive, archive.stat().st_size // 2)
    command = [sys.executable, "-m", "scripts", "build", "--store", str(tmp_path)]
    command += ["--precision", "fp32"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "built" in done.stdout.splitlines()[-1]
    assert zipfile.ZipFile(archive).testzip() is None
