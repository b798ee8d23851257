"""The log files of a running product: read as they grow, and kept from growing without limit."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

LARGEST = 20 * 2**20  # bytes of a log, beside those of the former one
FORMER = ".1"
MOST_BYTES = 1 << 20  # of a look


class NewLines:
    """The lines that were added to a log since the last look; it may be shortened meanwhile."""

    def __init__(self) -> None:
        self._read = 0

    def read(self, log: Path, begins: int = 0) -> list[str]:
        """The new lines from byte ``begins`` on, and empty ones; the last one waits for its end."""
        content = b""
        with suppress(OSError), log.open("rb") as file:  # the folder may have been removed
            size = file.seek(0, os.SEEK_END)
            self._read = 0 if self._read > size else self._read
            file.seek(max(self._read, begins if begins <= size else 0))
            self._read = file.tell()
            content = file.read(MOST_BYTES)
        end = content.rfind(b"\n") + 1
        whole = content if len(content) == MOST_BYTES and not end else content[:end]
        self._read += len(whole)
        return whole.decode(errors="replace").split("\n")


def rotate(log: Path) -> bool:
    """Copy a log that is too large to ``<name>.1`` and empty it; whether that was done.

    Its writers hold it open, and append. Where there is no room for a copy there is none.
    """
    with suppress(OSError):
        if log.stat().st_size <= LARGEST:
            return False
        former = log.with_name(log.name + FORMER)
        try:
            shutil.copyfile(log, former)
        except OSError:
            former.unlink(missing_ok=True)
        os.truncate(log, 0)
        return True
    return False
