"""The file of the API keys, which `python -m gateway.keys` changes."""

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
    """The whole file."""

    keys: list[Key]


class KeyStore:
    """Keys in one JSON file: read as a whole, replaced as a whole, by one writer at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> Stamp | None:
        """What differs after every change of the file; None while there is none."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        # The time of change, not of modification: it tells of new permissions too.
        return found.st_ctime_ns, found.st_ino, found.st_size

    def read(self) -> list[Key]:
        """All keys, in the order of their making; raises InternalError if the file is damaged."""
        try:
            return _Document.model_validate_json(self.path.read_bytes()).keys
        except FileNotFoundError:
            return []
        except (OSError, ValidationError) as exc:
            # Not the message: pydantic's quotes what is in the file.
            raise InternalError(
                f"The file of the keys, {self.path.name}, cannot be read ({type(exc).__name__})."
            ) from exc

    def add(
        self, name: str, role: Role, rate: str | None = None, concurrency: int | None = None
    ) -> tuple[Key, str]:
        """Makes a key; gives what the file has of it, and the key itself, which is kept nowhere."""
        key, presented = issue(name, role, rate, concurrency)
        with self._alone():
            self._write([*self.read(), key])
        return key, presented

    def revoke(self, identity: str, *, keep_an_admin: bool = False) -> None:
        """Takes a key out; raises NotFoundError, or ConflictError for the last admin's."""
        with self._alone():
            keys = self.read()
            left = [key for key in keys if key.id != identity]
            if len(left) == len(keys):
                raise NotFoundError("There is no key with this id. The list has those there are.")
            if keep_an_admin and not any(key.role == "admin" for key in left):
                raise ConflictError(
                    "This is the last key with the role admin: without it nobody could add "
                    "another. Add one first."
                )
            self._write(left)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile; a file beside it, because it is replaced."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside = self.path.with_name(f"{self.path.name}.lock")
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
        # Made with mode 0600. Whoever reads sees the old file or the new one, never half of it.
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
