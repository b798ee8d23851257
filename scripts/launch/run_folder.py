"""The run folder: one TorchServe at a time, and logs that later starts leave alone."""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# The logs of former starts that are kept, without those of products that still run. The ones of
# the last start are kept whatever their size.
KEPT_STARTS = 20
KEPT_BYTES = 200 * 2**20
LATEST = "latest"
OWNER = "running"
_LOGS_OF_A_START = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d+)?")


class RunFolderError(RuntimeError):
    """The run folder is in use or cannot be written; the text says what to do."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder of one TorchServe, whose tokens another start would replace.

    The system releases it when the process ends. A file system without locks has none. Raises
    RunFolderError.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        owner = os.open(folder / OWNER, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _locked(owner):
            process = os.read(owner, 20).decode(errors="replace").strip()
            raise RunFolderError(
                f"Segserve runs already (process {process or 'unknown'}) and uses {folder}: end it "
                "first, or choose another folder with SEGSERVE_SERVE_RUN_DIR, and other ports"
            )
        with _writing(folder):
            os.truncate(owner, 0)
            os.pwrite(owner, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(owner)


@contextmanager
def logs_of_this_start(run_dir: Path) -> Iterator[Path]:
    """A new folder for logs, which no later start changes; the oldest of former ones go.

    Raises RunFolderError.
    """
    parent = run_dir.absolute() / "logs"
    with _writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        folder = _new_folder(parent)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _locked(handle)
        with suppress(OSError):  # a file system without links
            _link(parent / LATEST, folder.name)
        remove_oldest(parent, besides=folder)
        yield folder
    finally:
        os.close(handle)


def remove_oldest(parent: Path, besides: Path) -> None:
    """Remove the oldest logs beyond both limits, but none of a product that runs."""
    former = [each for each in parent.iterdir() if _LOGS_OF_A_START.fullmatch(each.name)]
    former = sorted((each for each in former if each != besides and each.is_dir()), reverse=True)
    total = 0
    for place, folder in enumerate(former):
        total += _size(folder)
        if place > 0 and (place >= KEPT_STARTS or total > KEPT_BYTES):
            _remove_unless_in_use(folder)


def _remove_unless_in_use(folder: Path) -> None:
    with suppress(OSError):  # another start was faster, or it belongs to another user
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if _locked(handle):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


def _size(folder: Path) -> int:
    sizes = 0
    with suppress(OSError):
        for path in folder.iterdir():
            sizes += path.lstat().st_size
    return sizes


def _new_folder(parent: Path) -> Path:
    name = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
    folder, number = parent / name, 1
    while True:
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            folder = parent / f"{name}-{number}"
        else:
            return folder


def _link(link: Path, target: str) -> None:
    new = link.with_name(f".{link.name}-{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise RunFolderError(
            f"{folder} cannot be written ({exc.strerror}): make room or choose another folder with "
            "SEGSERVE_SERVE_RUN_DIR"
        ) from exc
