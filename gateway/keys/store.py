"""The key store: a JSON file with the API keys."""

import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ValidationError

from gateway.errors import ConflictError, InternalError, NotFoundError
from gateway.keys.api_key import Key, issue
from gateway.keys.principal import Role

Stamp = tuple[int, int, int]


class _Document(BaseModel):
    """The content of the file."""

    keys: list[Key]


class KeyStore:
    """The keys in a JSON file, which is replaced atomically, by one writer at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> Stamp | None:
        """Return a value that differs after every change of the file; None if there is no file."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        # The time of change, not of modification: it covers new permissions too.
        return status.st_ctime_ns, status.st_ino, status.st_size

    def read(self) -> list[Key]:
        """Return all keys in the order of creation; raises InternalError if the file is damaged."""
        try:
            return _Document.model_validate_json(self.path.read_bytes()).keys
        except FileNotFoundError:
            return []
        except (OSError, ValidationError) as exc:
            # Without the exception's message: pydantic quotes the content of the file.
            raise InternalError(
                f"The file of the keys, {self.path.name}, cannot be read ({type(exc).__name__})."
            ) from exc

    def add(
        self, name: str, role: Role, rate: str | None = None, concurrency: int | None = None
    ) -> tuple[Key, str]:
        """Add a new key; return its stored form, and the key itself, which is not stored."""
        key, presented = issue(name, role, rate, concurrency)
        with self._exclusive_lock():
            self._write([*self.read(), key])
        return key, presented

    def revoke(self, identity: str, *, keep_an_admin: bool = False) -> None:
        """Remove a key; raises NotFoundError.

        keep_an_admin: raise ConflictError for the last key with the role admin.
        """
        with self._exclusive_lock():
            keys = self.read()
            remaining = [key for key in keys if key.id != identity]
            if len(remaining) == len(keys):
                raise NotFoundError("There is no key with this id. The list has those there are.")
            if keep_an_admin and not any(key.role == "admin" for key in remaining):
                raise ConflictError(
                    "This is the last key with the role admin: without it no further key "
                    "could be added. Add another one first."
                )
            self._write(remaining)

    @contextmanager
    def _exclusive_lock(self) -> Iterator[None]:
        """Hold the lock for changing the file."""
        # The lock is on a separate file, because the file itself is replaced.
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = self.path.with_name(f"{self.path.name}.lock")
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise ConflictError(
                f"The file of the keys cannot be changed here: {exc.strerror}."
            ) from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, keys: Sequence[Key]) -> None:
        # mkstemp sets mode 0600; readers see the old file or the new one, never half of it.
        descriptor, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(_Document(keys=list(keys)).model_dump_json(indent=2) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
