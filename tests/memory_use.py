"""Memory use of the product's processes: current and peak."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.stack import Stack

MIB = 1024 * 1024
RESET_PEAK = "5"


@dataclass(frozen=True)
class Process:
    """A process of the product, and its resident memory at the first measurement."""

    process: psutil.Process
    before: int

    @property
    def now(self) -> int:
        """Resident memory in bytes."""
        return int(self.process.memory_info().rss)

    @property
    def peak(self) -> int:
        """Peak resident memory in bytes since the first measurement, as the system counts it."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


def _watched(process: psutil.Process) -> Process:
    Path(f"/proc/{process.pid}/clear_refs").write_text(RESET_PEAK)
    return Process(process, process.memory_info().rss)


def _with(stack: Stack, word: str) -> list[Process]:
    found = []
    for process in stack.descendants():
        with suppress(psutil.NoSuchProcess):
            if any(word in part for part in process.cmdline()):
                found.append(_watched(process))
    return found


def workers(stack: Stack) -> list[Process]:
    """TorchServe's worker processes, measured from now on."""
    return _with(stack, "model_service_worker")


def gateway(stack: Stack) -> Process:
    """The gateway's process, measured from now on."""
    pid = psutil.Process(stack.process.pid)
    names = {tuple(each.cmdline()[-2:]): each for each in pid.children()}
    return _watched(names["-m", "gateway"])
