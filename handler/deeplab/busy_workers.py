"""The other busy workers of the same version, by file locks.

Each worker holds a lock on a file of its own while it processes an image. The system releases the
locks of a worker that dies, so a dead worker stops counting after ``PAUSE_NS`` at the latest.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

SUFFIX = ".lock"
# Under load a worker gets its next image some 2 ms after the last; a single client that waits for
# each response leaves at least 5 ms between two images.
PAUSE_NS = 4_000_000
# A folder's mtime has the resolution of the system's clock tick: after a change this recent, more
# files may have been added without changing it.
SETTLED_NS = 1_000_000_000


class BusyWorkers:
    """The workers that share a folder of lock files."""

    def __init__(self, folder: Path, own_name: str) -> None:
        """``own_name`` is unique to this worker."""
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._own_path = folder / f"{own_name}{SUFFIX}"
        # Content: the monotonic time, in ns, at which this worker finished its last image.
        self._own_lock = self._own_path.open("wb", buffering=0)
        self._others: list[FileIO] = []
        self._known_mtime_ns = 0
        self._depth = 0  # images in hand: those of a batch are processed in turns

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count as busy for the duration of the block; blocks may overlap."""
        if self._depth == 0:
            fcntl.flock(self._own_lock, fcntl.LOCK_EX)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._release()

    def _release(self) -> None:
        with suppress(OSError):  # a full disk must not fail an image
            self._own_lock.seek(0)
            self._own_lock.write(time.monotonic_ns().to_bytes(8))
        fcntl.flock(self._own_lock, fcntl.LOCK_UN)

    def count_others(self) -> int:
        """Number of other workers that process an image now or finished one less than 4 ms ago."""
        self._refresh_others()
        return sum(map(_is_busy, self._others))

    def busy_others(self) -> list[str]:
        """Names of the workers that ``count_others`` counts."""
        self._refresh_others()
        return [Path(str(file.name)).stem for file in self._others if _is_busy(file)]

    def _refresh_others(self) -> None:
        """Reopen the lock files of the others if the folder has changed.

        Opening them takes longer than everything else here.
        """
        mtime_ns = self._folder.stat().st_mtime_ns
        if mtime_ns == self._known_mtime_ns:
            return
        for file in self._others:
            file.close()
        paths = [path for path in self._folder.glob(f"*{SUFFIX}") if path != self._own_path]
        self._others = [path.open("rb", buffering=0) for path in paths]
        self._known_mtime_ns = mtime_ns if time.time_ns() - mtime_ns > SETTLED_NS else 0


def _is_busy(file: FileIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    file.seek(0)
    finished_ns = int.from_bytes(file.read(8))
    fcntl.flock(file, fcntl.LOCK_UN)
    return 0 <= time.monotonic_ns() - finished_ns < PAUSE_NS
