"""Tokens of this machine: made once, each in a file that only the gateway's user can read."""

import fcntl
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.errors import RegistryUnavailableError

NODE: Final = "node-token"
ADMIN: Final = "admin-token"
_BYTES: Final = 32


class TokenFile:
    """A token in a file of the gateway's folder. given: by the settings, instead of the file."""

    def __init__(self, path: Path, given: str | None = None) -> None:
        self._path = path
        self._expected = (given or "").encode()

    def make(self) -> None:
        """Read the token; the first gateway makes it. Raises RegistryUnavailableError."""
        if self._expected:
            return
        try:
            token = read_or_make(self._path)
        except OSError as exc:
            raise RegistryUnavailableError(
                f"The token {self._path.name} cannot be kept in {self._path.parent}: "
                f"{exc.strerror}."
            ) from exc
        self._expected = token.encode()

    def is_shown(self, token: str) -> bool:
        """Whether this is the token, in constant time; never before it is made."""
        shown = token.encode("latin-1", "replace")
        return bool(self._expected) and hmac.compare_digest(shown, self._expected)


def read_or_make(path: Path) -> str:
    """Return the token in a file; the first gateway makes it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(folder, fcntl.LOCK_EX)  # of several gateways that start at once
        return _read(path) or _made(path)
    finally:
        os.close(folder)


def _read(path: Path) -> str:
    """The token; empty if there is no file, or one that a crash has left empty."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _made(path: Path) -> str:
    token = secrets.token_urlsafe(_BYTES)
    partial = path.with_name(f".{path.name}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return token
