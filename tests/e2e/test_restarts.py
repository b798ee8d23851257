"""What was decided is there again after a restart of everything, and after a power failure."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.archives import renumbered
from tests.stack import ROOT, Stack, alive, started, started_again, stop, wait_until_ready
from tests.torchserve import loaded

CAT = (ROOT / "ui" / "examples" / "cat.jpg").read_bytes()


def end(stack: Stack) -> None:
    """Stop the product, as Ctrl-C does."""
    status, _ = stop(stack)
    assert status == 0


def kill(stack: Stack) -> None:
    """Kill every process of the product at once, as a power failure does."""
    processes = [psutil.Process(stack.process.pid), *stack.descendants()]
    for each in processes:
        os.kill(each.pid, signal.SIGKILL)
    stack.process.wait(30)
    psutil.wait_procs(processes[1:], timeout=30)
    assert alive(processes) == []


@pytest.fixture
def decided(tmp_path: Path) -> Iterator[Stack]:
    """A product in which a second version is stable, and the first one has an alias."""
    with started(tmp_path / "run", SEGSERVE_SERVE_UI="false") as stack:
        wait_until_ready(stack)
        source = stack.model_store / "deeplabv3-1.0.mar"
        archive = renumbered(source, tmp_path / "new.mar", "12.0")
        for command in (
            ("add", str(archive), "--workers", "1"),
            ("default", "12.0"),
            ("alias", "proven", "1.0"),
            ("shadow", "1.0", "20"),
        ):
            done = stack.versions(*command)
            assert (done.returncode, done.stderr) == (0, ""), command
        yield stack


@pytest.mark.parametrize("ending", [end, kill])
def test_versions_survive(decided: Stack, ending: Callable[[Stack], None]) -> None:
    """Versions, stable, other aliases, shares, workers and the history."""
    before = decided.versions("traffic", "--json").stdout
    history = decided.versions("history", "--json").stdout
    ending(decided)
    with started_again(decided) as stack:
        assert _served_by(stack) == "12.0"
        assert _served_by(stack, "?version=proven") == "1.0"
        assert stack.versions("traffic", "--json").stdout == before
        assert stack.versions("history", "--json").stdout == history
        assert sorted(loaded(stack)["deeplabv3"]) == ["1.0", "12.0"]
        assert stack.versions("scale", "12.0", "1").returncode == 0
        assert stack.versions("rollback").stdout == "version 1.0 is stable again\n"


def _served_by(stack: Stack, query: str = "") -> str:
    """The version that answers; it may still be loading."""
    url = f"{stack.gateway_url}/segmentation{query}"
    for _ in range(60):
        answer = httpx.post(url, files={"file": ("cat.jpg", CAT)}, timeout=60.0)
        if answer.status_code != 503:
            break
    assert answer.status_code == 200, answer.text
    return answer.headers["x-model-version"]
