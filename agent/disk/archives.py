"""The archives on this node: TorchServe's model store, each file named by what is in it."""

import errno
import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

from agent.http_json import connect

KEPT = 5  # archives that are not wanted now: a roll-back need not fetch
CHUNK = 1 << 20
SILENT_S = 30.0
OK = 200
_NAME = re.compile(r".+-(?P<digest>[0-9a-f]{64})\.mar")
PARTIAL = ".partial"
FULL = (errno.ENOSPC, errno.EDQUOT)


class FetchError(RuntimeError):
    """An archive could not be had; the text is one line."""


def file_name(model: str, version: str, sha256: str) -> str:
    """The name of an archive's file, which tells TorchServe's list what it loaded."""
    return f"{model}-{version}-{sha256}.mar"


def digest_of(name: str) -> str | None:
    """The SHA-256 in a file's name; None for a file of another kind."""
    match = _NAME.fullmatch(name)
    return match["digest"] if match else None


class Archives:
    """The folder of archives. Files are verified when they come and when the agent starts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._sound: dict[str, str] = {}
        self._wanted: frozenset[str] = frozenset()
        self._verify()

    @property
    def digests(self) -> frozenset[str]:
        """SHA-256 of every sound archive."""
        return frozenset(self._sound)

    def name(self, sha256: str) -> str:
        """The file name of a sound archive."""
        return self._sound[sha256]

    def want(self, digests: Iterable[str]) -> None:
        """Note which archives are wanted now."""
        self._wanted = frozenset(digests)

    def fetch(self, url: str, headers: dict[str, str], name: str, sha256: str, size: int) -> None:
        """Get an archive, and keep it if it is the one. Raises FetchError.

        Where the disk is full, those that are not wanted make room.
        """
        try:
            try:
                self._fetch(url, headers, name, sha256, size)
            except OSError as exc:
                if exc.errno not in FULL or not self.forget(kept=0):
                    raise
                self._fetch(url, headers, name, sha256, size)
        except OSError as exc:
            raise FetchError(f"{name} cannot be written: {exc.strerror or exc}") from exc

    def _fetch(self, url: str, headers: dict[str, str], name: str, sha256: str, size: int) -> None:
        partial = self._folder / f"{name}{PARTIAL}"
        try:
            found = _download(url, headers, partial, size)
            if found != sha256:
                raise FetchError(f"the gateway sent other bytes: SHA-256 {found}, not {sha256}")
            partial.replace(self._folder / name)
            _sync(self._folder)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        self._sound[sha256] = name

    def check(self, sha256: str) -> None:
        """Look at an archive again: one that vanished, or that a bad disk changed, is dropped."""
        name = self._sound.get(sha256)
        if name is not None and not _is_sound(self._folder / name, sha256):
            del self._sound[sha256]

    def forget(self, kept: int = KEPT) -> int:
        """Delete the oldest archives that are not wanted, but a few; how many were deleted."""
        others = [name for digest, name in self._sound.items() if digest not in self._wanted]
        paths = [path for name in others if (path := self._folder / name).exists()]
        deleted = 0
        for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)[kept:]:
            with suppress(OSError):
                path.unlink()
                self._sound.pop(str(digest_of(path.name)), None)
                deleted += 1
        return deleted

    def _verify(self) -> None:
        """Find the sound archives; what a crash or a bad disk left is deleted."""
        for path in sorted(self._folder.iterdir()):
            if path.name.endswith(PARTIAL):
                path.unlink(missing_ok=True)
                continue
            digest = digest_of(path.name)
            if digest is not None and _is_sound(path, digest):
                self._sound[digest] = path.name


def _is_sound(path: Path, sha256: str) -> bool:
    """Whether a file is there and has this digest; another one is deleted."""
    with suppress(OSError), path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
            return True
    with suppress(OSError):
        path.unlink(missing_ok=True)
    return False


def _download(url: str, headers: dict[str, str], target: Path, size: int) -> str:
    """Write the answer to a file, and return its SHA-256. Raises FetchError, or OSError."""
    digest, received = hashlib.sha256(), 0
    connection = connect(url, timeout_s=SILENT_S)
    try:
        response = _asked(connection, url, headers)
        with target.open("wb") as file:
            while chunk := _read(response):
                received += len(chunk)
                if received > size:
                    raise FetchError(f"the gateway sent more than the {size} bytes of the archive")
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    finally:
        connection.close()
    if received != size:
        raise FetchError(f"the gateway sent {received} of {size} bytes")
    return digest.hexdigest()


def _asked(connection: HTTPConnection, url: str, headers: dict[str, str]) -> HTTPResponse:
    path = url.split("://", 1)[-1].partition("/")[2]
    try:
        connection.request("GET", f"/{path}", headers=headers)
        response = connection.getresponse()
        if response.status == OK:
            return response
        reason = response.read(300).decode(errors="replace")
    except (OSError, HTTPException) as exc:
        raise _broken(exc) from exc
    raise FetchError(f"the gateway answered {response.status}: {' '.join(reason.split())}")


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, HTTPException) as exc:
        raise _broken(exc) from exc


def _broken(exc: Exception) -> FetchError:
    return FetchError(f"the connection to the gateway broke: {exc or type(exc).__name__}")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
