"""Atomic file replacement with fsync."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces ``path`` once all of it is on the disk.

    Raises an OSError that names ``path`` if that fails; the former file stays then.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # a name must not reach the disk before its content
        partial.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as exc:
        raise _named(exc, path) from exc
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def reporting_failed_writes(path: Path) -> Iterator[None]:
    """Turn the RuntimeErrors of torch and OpenVINO over a full disk into an OSError with a name."""
    try:
        yield
    except RuntimeError as exc:
        raise _named(exc, path) from exc


def _sync_folder(folder: Path) -> None:
    """Flush the folder's entries, so that the new name survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _named(exc: Exception, path: Path) -> OSError:
    """The OSError with the file's name, also where torch raised a RuntimeError over it."""
    reason = exc if isinstance(exc, OSError) else exc.__context__
    if isinstance(reason, OSError) and reason.errno is not None:
        return OSError(reason.errno, reason.strerror, str(path))
    return OSError(f"{path}: could not be written ({(str(exc).splitlines() or [''])[0][:200]})")
