"""How many other workers of the same version compute, or did until a moment ago.

Each worker holds a lock on a file of its own while it has a picture. The system lets go of the
locks of a worker that dies, so nobody who is gone is counted for longer than that moment.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUFFIX = ".lock"
# With pictures waiting, a worker has the next one some 2 ms after the last; where a single client
# waits for each answer, at least 5 ms pass between two of them.
PAUSE_NS = 4_000_000


class Neighbours:
    """The workers that share a folder."""

    def __init__(self, folder: Path, own_name: str) -> None:
        """``own_name`` differs from worker to worker."""
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._own = folder / f"{own_name}{SUFFIX}"
        self._lock = self._own.open("wb", buffering=0)  # its content: when the last picture ended

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
        others = (path for path in self._folder.glob(f"*{SUFFIX}") if path != self._own)
        return sum(map(_is_busy, others))


def _is_busy(path: Path) -> bool:
    with path.open("rb", buffering=0) as probe:  # its end lets go of the lock too
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        ended_ns = int.from_bytes(probe.read(8))
    return 0 <= time.monotonic_ns() - ended_ns < PAUSE_NS
