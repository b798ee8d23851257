"""TorchServe that ends is started again, and a stop is seen in every pause."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.settings import Settings
from agent.torchserve import keeper as keeper_module
from agent.torchserve import server as server_module
from agent.torchserve.keeper import Keeper
from tests.stack import free_ports

Start = Callable[[str], Keeper]


@pytest.fixture
def said() -> list[str]:
    """The lines that it prints."""
    return []


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> Start:
    """A keeper of this Python program in TorchServe's place."""
    names = ("inference_port", "management_port", "grpc_inference_port", "grpc_management_port")
    ports: dict[str, Any] = dict(zip(names, free_ports(len(names)), strict=True))
    settings = Settings(folder=tmp_path / "agent", **ports)

    def start(program: str) -> Keeper:
        command = [sys.executable, "-c", program]
        monkeypatch.setattr(server_module, "command", lambda *_: command)
        found = Keeper(settings, dict, said.append)
        found.start(threading.Event())
        return found

    return start


def _after_ends(keeper: Keeper, count: int) -> None:
    """Watch until it ended so often."""
    end = time.monotonic() + 30
    while keeper._ends < count and time.monotonic() < end:
        keeper.watch(threading.Event())
        time.sleep(0.01)  # polling another process


@pytest.mark.slow
def test_a_server_that_ends_at_each_start_is_told(keeper: Start, said: list[str]) -> None:
    """How it ended, how often, and where more is; not of one that ended once, or answers."""
    kept = keeper("raise SystemExit(3)")
    assert kept.trouble() is None
    _after_ends(kept, 1)
    assert kept.trouble() is None
    _after_ends(kept, 2)
    assert kept.trouble() == "TorchServe ended (status 3) 2 times; see torchserve.log"
    kept.answered()
    assert kept.trouble() is None
    assert [each for each in said if "ended" in each] == [
        "TorchServe ended (status 3); it is started again in 0.25 s",
        "TorchServe ended (status 3); it is started again in 0.5 s",
    ]
    kept.stop()


@pytest.mark.slow
def test_a_long_pause_is_not_waited_for(keeper: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node goes on reporting; and a stop ends a short one, without another start."""
    kept = keeper("raise SystemExit(3)")
    stop = threading.Event()
    stop.set()
    began = time.monotonic()
    while not kept._ends:
        kept.watch(stop)
    kept.watch(stop)
    assert time.monotonic() - began < 10
    assert kept._due != 0.0
    monkeypatch.setattr(keeper_module, "SHORT_S", -1e9)
    assert not kept.watch(threading.Event())
    assert kept._due != 0.0


@pytest.mark.slow
def test_a_server_that_runs_is_the_one_it_was(keeper: Start) -> None:
    """Until it is replaced: what the former one had loaded is not what is loaded now."""
    kept = keeper("import time; time.sleep(60)")
    assert kept.watch(threading.Event())
    process = kept._server._process
    assert process is not None
    process.kill()
    process.wait()
    assert not kept.watch(threading.Event())
    assert kept.watch(threading.Event())
    kept.stop()
