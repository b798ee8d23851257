"""How much memory processes of the product have, and had at most."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.stack import Stack

MIB = 1024 * 1024
RESET_PEAK = "5"


@dataclass(frozen=True)
class Process:
    """One process of the product, and its resident memory when it was first looked at."""

    process: psutil.Process
    before: int

    @property
    def now(self) -> int:
        """Resident bytes."""
        return int(self.process.memory_info().rss)

    @property
    def peak(self) -> int:
        """Most resident bytes since it was first looked at, as the system counted them."""
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
    """TorchServe's worker processes, from now on."""
    return _with(stack, "model_service_worker")


def gateway(stack: Stack) -> Process:
    """The gateway's process, from now on."""
    pid = psutil.Process(stack.process.pid)
    names = {tuple(each.cmdline()[-2:]): each for each in pid.children()}
    return _watched(names["-m", "gateway"])
