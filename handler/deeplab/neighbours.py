"""How many other workers of the same version are computing at this moment.

Each worker holds a lock on a file of its own while it has a picture. The system lets go of the
locks of a worker that dies, so nobody is ever counted who is not there.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = ".lock"
# With pictures waiting, a worker has the next one some 2 ms after the last; where each waits for
# the answer to the one before it, at least 5 ms pass between two of them.
PAUSE_NS = 4_000_000


class Neighbours:
    """The workers that share a folder."""

    def __init__(self, folder: Path, own_name: str) -> None:
        """``own_name`` differs from worker to worker."""
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._own = f"{own_name}{SUFFIX}"
        self._lock = (folder / self._own).open("w")
        _set_end(self._lock.fileno(), 0)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count as one who computes."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            _set_end(self._lock.fileno(), time.time_ns())
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def count(self) -> int:
        """How many others compute now, or are between two pictures."""
        with os.scandir(self._folder) as found:
            locks = [file for file in found if file.name.endswith(SUFFIX)]
        return sum(_is_busy(file.path) for file in locks if file.name != self._own)


def _is_busy(path: str) -> bool:
    probe = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return time.time_ns() - os.fstat(probe).st_mtime_ns < PAUSE_NS
    except BlockingIOError:
        return True
    finally:
        os.close(probe)  # which lets go of the lock too


def _set_end(file: int, end_ns: int) -> None:
    """When a worker's last picture ended is its file's time: the system's own is too coarse."""
    os.utime(file, ns=(end_ns, end_ns))
