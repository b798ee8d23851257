"""Adding a version: the archive is sent, and loaded on every node, or nothing of it is left."""

import hashlib
import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from types import FrameType

from scripts.administration.client import (
    TRIES,
    AdministrationError,
    Gateway,
    Json,
    LostAnswerError,
    NotNowError,
    UnknownError,
)
from scripts.administration.waiting import NotReadyError, Progress, wait_until_ready
from scripts.archives.archive import MODEL, DamagedArchiveError, read_identity
from scripts.archives.names import InvalidNameError, check_own_name
from scripts.archives.signals import undisturbed

FAILURES = (AdministrationError, DamagedArchiveError, InvalidNameError, OSError)
AGAIN_S = 1.0  # between two questions for a version whose answer was lost
CHUNK = 1 << 18  # bytes between two looks at the signals


class _StopError(Exception):
    """A signal came while the archive was sent."""


def locate(archive: str, store: Path) -> Path:
    """The archive's path: as it is, or a name in the model store."""
    given = Path(archive)
    return store / archive if not given.exists() and given.name == archive else given


def add(
    gateway: Gateway,
    path: Path,
    workers: int | None,
    wait_s: float | None,
    *,
    keep: bool = False,
) -> tuple[Json, bool]:
    """Send an archive, and wait until it is served everywhere; (the version, whether it is new).

    wait_s: None for not at all. keep: leave a version that no node can load. Raises FAILURES.
    """
    try:
        name, version = read_identity(path)
    except FileNotFoundError as exc:
        raise AdministrationError(f"{path} does not exist; build it with `segserve build`") from exc
    if name != MODEL:
        raise AdministrationError(f"{path.name} holds the model {name}, not {MODEL}")
    check_own_name(version)
    record, is_new, stopped_by = _upload(gateway, path, version, workers)
    try:
        if stopped_by is not None:
            signal.raise_signal(stopped_by)
        if wait_s is not None:
            record = wait_until_ready(gateway, version, wait_s)
    except BaseException as exc:
        if is_new and not (keep and isinstance(exc, NotReadyError)):
            with undisturbed(), suppress(AdministrationError):
                gateway.change("DELETE", gateway.version_path(version), why="it was not served")
        raise
    return record, is_new


def _upload(
    gateway: Gateway, path: Path, version: str, workers: int | None
) -> tuple[Json, bool, int | None]:
    """(version, whether it is new, the signal that came after all was sent).

    If the answer is lost, the gateway is asked whether it has the version with these bytes.

    A signal ends the sending; when all is sent, the answer is awaited: else it would stay unknown
    whether there is something to undo. A second signal ends everything.
    """
    came: list[int] = []
    was_there, digest = _served(gateway, version) is not None, hashlib.sha256()

    def remember(number: int, frame: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    def sent() -> Iterator[bytes]:
        size, done = path.stat().st_size, 0
        with path.open("rb") as file, closing(Progress()) as progress:
            for chunk in iter(partial(file.read, CHUNK), b""):
                if came:
                    raise _StopError
                digest.update(chunk)
                yield chunk
                done += len(chunk)
                progress.say(f"sending {path.name} {_bar(done / size)} of {size / 1e6:.1f} MB")

    with undisturbed(remember):
        try:
            record, is_new = gateway.upload(sent(), workers=workers)
        except LostAnswerError:
            found = _arrived(gateway, version, digest.hexdigest())
            if found is not None:
                return found, not was_there, came[0] if came else None
            if not came:
                raise
        except (_StopError, AdministrationError):
            if not came:
                raise
        else:
            return record, is_new, came[0] if came else None
    signal.raise_signal(came[0])
    raise AssertionError("the signal ends the command")


def _served(gateway: Gateway, version: str) -> Json | None:
    """The version as the gateway has it; None if it is unknown or retired."""
    try:
        record = gateway.read(gateway.version_path(version))
    except UnknownError:
        return None
    return record if record["state"] == "available" else None


def _arrived(gateway: Gateway, version: str, sha256: str) -> Json | None:
    """The version, if the gateway has it with these bytes; it may be starting again."""
    for _ in range(TRIES):
        time.sleep(AGAIN_S)  # another process
        with suppress(NotNowError):
            found = _served(gateway, version)
            if found is not None and found.get("sha256") == sha256:
                return found
    return None


def _bar(share: float, width: int = 20) -> str:
    """A bar for a share of 0..1."""
    full = round(share * width)
    return f"[{'#' * full}{'.' * (width - full)}] {share:4.0%}"
