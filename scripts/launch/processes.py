"""Child processes in sessions of their own, stopped as groups and never left behind."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1  # Linux: the signal a child gets when its parent dies
GRACE_S = 45.0  # longer than the gateway's deadline for requests in flight


@dataclass(frozen=True)
class Child:
    """A running service and its log file."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_lines(self, count: int = 5) -> list[str]:
        """The last non-empty lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if line.strip()][-count:]


def start(name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> Child:
    """Start a service; its output replaces the content of ``log``."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the parent alone
            preexec_fn=end_with_parent,  # no threads are running yet
        )
    return Child(name, process, log)


def stop(children: Sequence[Child]) -> None:
    """Terminate the services one after the other, last started first; kill those that hang.

    One after the other, because the requests in flight at the gateway need TorchServe.
    """
    for child in reversed(children):
        _signal_group(child, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(GRACE_S)
        _signal_group(child, signal.SIGKILL)  # workers that outlived their server
        child.process.wait()


def _signal_group(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)


def end_with_parent() -> None:
    """Have the kernel terminate this child when its parent dies."""
    with suppress(AttributeError):  # not Linux: Ctrl-C and a normal end still stop everything
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
