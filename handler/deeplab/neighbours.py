"""How many other workers of the same version are computing at this moment.

Each worker holds a lock on a file of its own while it has a picture. The system lets go of the
locks of a worker that dies, so nobody is ever counted who is not there.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = ".lock"


class Neighbours:
    """The workers that share a folder."""

    def __init__(self, folder: Path, own_name: str) -> None:
        """``own_name`` differs from worker to worker."""
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._own = folder / f"{own_name}{SUFFIX}"
        self._lock = self._own.open("w")

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count as one who computes."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def count(self) -> int:
        """How many others compute now."""
        others = (path for path in self._folder.glob(f"*{SUFFIX}") if path != self._own)
        return sum(map(_is_locked, others))


def _is_locked(path: Path) -> bool:
    with path.open() as probe:  # its end lets go of the lock too
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
