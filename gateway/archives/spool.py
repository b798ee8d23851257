"""Spool: the folder in which an archive arrives; what a killed gateway left there is removed."""

import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUFFIX: Final = ".incoming"
_READABLE: Final = 0o644


@dataclass(frozen=True)
class Incoming:
    """An archive that arrived whole and is not kept yet. path: on this machine. size: in bytes."""

    path: Path
    sha256: str
    size: int


class PartialFile:
    """A file that grows, its digest, and a lock that ends with the process that writes it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f".{uuid.uuid4().hex}{SUFFIX}"
        self.size = 0
        self._digest = hashlib.sha256()
        self._file = _create_locked(self.path)

    def write(self, data: bytes) -> None:
        """Append bytes."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self._digest.update(data)
        self.size += len(data)

    def finish(self) -> Incoming:
        """Wait until the bytes are on the disk."""
        os.fsync(self._file)
        return Incoming(self.path, self._digest.hexdigest(), self.size)

    def close(self) -> None:
        """Remove the file unless it got another name."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        os.close(self._file)


def _create_locked(path: Path) -> int:
    while True:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, _READABLE)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return file
        os.close(file)  # a gateway that started just now took it for an abandoned one


def remove_abandoned(folder: Path) -> list[str]:
    """Remove partial files whose writers ended, and return their names."""
    removed = []
    for path in folder.glob(f".*{SUFFIX}"):
        with suppress(FileNotFoundError), _locked(path) as is_abandoned:
            if is_abandoned:
                path.unlink()
                removed.append(path.name)
    return removed


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether no living process writes the file."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(file)


def rename_durably(source: Path, target: Path) -> None:
    """Give a file its final name; after a power cut it has the old or the new one."""
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
