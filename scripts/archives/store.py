"""The model store: archives get in whole, replace nothing, and leave no temporary file."""

import fcntl
import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.archives.signals import undisturbed

READABLE = 0o644  # by a TorchServe of another user


class StoreError(ValueError):
    """An archive cannot be put into the model store; the text says what to do."""


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the store for the block; commands that add to it take turns.

    The folder itself is locked, so that no file is left. A file system without locks has none.
    """
    try:
        folder = os.open(store, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        raise StoreError(f"the model store {store} cannot be read: {exc.strerror}") from exc
    try:
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def in_store(given: Path, store: Path, name: str) -> Iterator[Path]:
    """The archive's path in the store; a copy made for it is removed if the block fails."""
    if given.resolve().parent == store.resolve():
        yield given
        return
    target = store / name
    is_ours = not target.exists()
    if is_ours:
        _copy(given, target)
    elif not _is_same(given, target):
        raise StoreError(
            f"{target} holds other bytes than {given}: delete it, add it by its name, "
            "or build yours with another --version"
        )
    try:
        yield target
    except BaseException:
        if is_ours:
            with undisturbed(), suppress(OSError):
                target.unlink(missing_ok=True)
        raise


def _is_same(given: Path, target: Path) -> bool:
    try:
        return filecmp.cmp(given, target, shallow=False)
    except OSError as exc:
        raise StoreError(f"{exc.filename} cannot be read: {exc.strerror}") from exc


def _copy(given: Path, target: Path) -> None:
    try:
        handle, name = tempfile.mkstemp(".building", f".{target.name}-", target.parent)
        try:
            with os.fdopen(handle, "wb") as copy, given.open("rb") as original:
                shutil.copyfileobj(original, copy)
                copy.flush()
                os.fsync(copy.fileno())
            Path(name).chmod(READABLE)
            _name_without_replacing(Path(name), target)
        finally:
            Path(name).unlink(missing_ok=True)
    except FileExistsError as exc:
        raise StoreError(f"{target} was just put there by another command") from exc
    except OSError as exc:
        raise StoreError(
            f"{given.name} cannot be copied into {target.parent}: {exc.strerror}"
        ) from exc


def _name_without_replacing(copy: Path, target: Path) -> None:
    try:
        target.hardlink_to(copy)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        copy.rename(target)
