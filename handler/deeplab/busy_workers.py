"""How many other workers of the same version compute, or did until a moment ago.

Each worker holds a lock on a file of its own while it has a picture. The system lets go of the
locks of a worker that dies, so nobody who is gone is counted for longer than that moment.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

SUFFIX = ".lock"
# With pictures waiting, a worker has the next one some 2 ms after the last; where a single client
# waits for each answer, at least 5 ms pass between two of them.
PAUSE_NS = 4_000_000
# A folder's own time is that of the system's last tick: of one that changed within this time
# something may have come since it was looked at.
SETTLED_NS = 1_000_000_000


class Neighbours:
    """The workers that share a folder."""

    def __init__(self, folder: Path, own_name: str) -> None:
        """``own_name`` differs from worker to worker."""
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._own = folder / f"{own_name}{SUFFIX}"
        self._lock = self._own.open("wb", buffering=0)  # its content: when the last picture ended
        self._others: list[FileIO] = []
        self._known_ns = 0  # the folder's time when it was last looked at

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count as one who computes."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            with suppress(OSError):  # a full disk costs nobody a picture
                self._lock.seek(0)
                self._lock.write(time.monotonic_ns().to_bytes(8))
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def count(self) -> int:
        """How many others compute now, or are between two pictures."""
        self._look_around()
        return sum(map(_is_busy, self._others))

    def _look_around(self) -> None:
        """Open the others' files, which takes longer than all else here, only where some came."""
        changed_ns = self._folder.stat().st_mtime_ns
        if changed_ns == self._known_ns:
            return
        for file in self._others:
            file.close()
        paths = [path for path in self._folder.glob(f"*{SUFFIX}") if path != self._own]
        self._others = [path.open("rb", buffering=0) for path in paths]
        self._known_ns = changed_ns if time.time_ns() - changed_ns > SETTLED_NS else 0


def _is_busy(file: FileIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    file.seek(0)
    ended_ns = int.from_bytes(file.read(8))
    fcntl.flock(file, fcntl.LOCK_UN)
    return 0 <= time.monotonic_ns() - ended_ns < PAUSE_NS
