"""Child processes in sessions of their own, stopped as groups and never left behind."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.launch.log_files import rotate

PR_SET_PDEATHSIG = 1  # Linux: the signal a child gets when its parent dies
GRACE_S = 45.0  # longer than the agent lets TorchServe finish, and the gateway its requests
TAIL_BYTES = 64 * 1024  # of a log, which may be larger than the memory


@dataclass
class Child:
    """A running service and its log file, which is its own from byte ``begins``."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    begins: int = 0

    def last_lines(self, count: int = 5) -> list[str]:
        """The last non-empty lines that it wrote."""
        with self.log.open("rb") as log:
            log.seek(max(self.begins, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        return [line for line in lines if line.strip()][-count:]

    def limit_log(self) -> None:
        """Keep its log from growing without limit."""
        if rotate(self.log):
            self.begins = 0

    def end(self) -> str | None:
        """How it ended, with the last lines of its log; None while it runs."""
        status = self.process.poll()
        if status is None:
            return None
        how = f"status {status}" if status >= 0 else f"status {status}, {_signal_name(-status)}"
        try:
            last = " | ".join(self.last_lines(3))
        except OSError as exc:  # the folder was removed
            last = f"no log, {exc.strerror}"
        return f"{self.name} (process {self.process.pid}) ended ({how}): {last}; see {self.log}"


def start(name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> Child:
    """Start a service; its output is added to ``log``. Raises OSError."""
    with log.open("ab") as output:
        begins = output.tell()
        process = subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the parent alone
            preexec_fn=end_with_parent,  # no threads are running yet
        )
    return Child(name, process, log, begins)


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


def end_group(child: Child) -> None:
    """Kill what a service that ended has left behind."""
    _signal_group(child, signal.SIGKILL)


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _signal_group(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)


def end_with_parent() -> None:
    """Have the kernel terminate this child when its parent dies."""
    with suppress(AttributeError):  # not Linux: Ctrl-C and a normal end still stop everything
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
