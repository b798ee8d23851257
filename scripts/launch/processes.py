"""Child processes that end with us: started in a session of their own, stopped as a group."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1  # Linux: the signal a child gets when its parent dies
GRACE_S = 10.0


@dataclass(frozen=True)
class Child:
    """A running part and the file that its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_lines(self, count: int = 5) -> list[str]:
        """The end of the log, for the message about why it died."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if line.strip()][-count:]


def start(name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> Child:
    """Start a part; its output goes to ``log``, which is begun anew."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us alone; we stop the parts in order
            preexec_fn=end_with_parent,  # no threads are running yet
        )
    return Child(name, process, log)


def stop(children: Sequence[Child]) -> None:
    """Ask each part to end, last started first; after ten seconds end its whole group."""
    for child in reversed(children):
        _signal_group(child, signal.SIGTERM)
    for child in reversed(children):
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(GRACE_S)
        _signal_group(child, signal.SIGKILL)  # workers that outlived their server
        child.process.wait()


def _signal_group(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)


def end_with_parent() -> None:
    """Have the kernel end the child if we are killed without a chance to stop it."""
    with suppress(AttributeError):  # not Linux: Ctrl-C and a normal end still stop everything
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
