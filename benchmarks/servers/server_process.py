"""The process of a measured server: start, readiness, memory, stop."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil

from benchmarks.setup.settings import CACHE
from scripts.launch.processes import Child, start, stop

START_S = 180.0
POLL_S = 0.1


class ServerError(RuntimeError):
    """The server did not come up; the text has the end of its log."""


@dataclass(frozen=True)
class Command:
    """The command of a server. ``ready`` is an address that answers 200 once it serves."""

    name: str
    arguments: Sequence[str]
    env: Mapping[str, str]
    ready: str


@dataclass(frozen=True)
class RunningServer:
    """A server that answers."""

    child: Child
    startup_s: float

    def rss_mb(self) -> float:
        """Resident memory of all its processes, in megabytes; pages they share count each time."""
        root = psutil.Process(self.child.process.pid)
        total = 0
        for process in (root, *root.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:  # one that ended meanwhile has none
                continue
        return total / 1e6


@contextmanager
def running_server(command: Command) -> Iterator[RunningServer]:
    """Start a server, wait until it is ready, and stop it afterwards. Raises ServerError."""
    logs = CACHE / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{command.name}.log"
    log.unlink(missing_ok=True)
    began = time.monotonic()
    child = start(command.name, command.arguments, command.env, log)
    try:
        _wait(child, command.ready)
        yield RunningServer(child, time.monotonic() - began)
    finally:
        _stop_with_descendants(child)


def _wait(child: Child, address: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if child.process.poll() is not None:
            raise ServerError(f"{child.name} ended: {_last_lines(child)}")
        if _answers(address):
            return
        time.sleep(POLL_S)  # another process has no other sign of readiness
    raise ServerError(f"{child.name} does not answer: {_last_lines(child)}")


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _last_lines(child: Child) -> str:
    return " / ".join(child.last_lines(8))


def _stop_with_descendants(child: Child) -> None:
    """Stop a server and its descendants, also workers in sessions of their own."""
    try:
        family = psutil.Process(child.process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    stop([child])
    _, alive = psutil.wait_procs(family, timeout=5)
    for process in alive:
        process.kill()
