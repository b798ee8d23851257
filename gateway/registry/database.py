"""The database: connections that read or write, migrations, backup."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection as Connection  # what work of others gets

from gateway.errors import RegistryUnavailableError
from gateway.registry.storage import engine, migration
from gateway.registry.storage.failures import translated, translated_file
from gateway.registry.storage.tables import state

_PATIENCE_S: Final = 5.0
_MIGRATION_S: Final = 60.0


class Database:
    """A database of SQLite or PostgreSQL. Every method may be called in any thread.

    Failures of the database raise RegistryUnavailableError, with a message of one line.
    """

    def __init__(self, url: str, *, patience_s: float = _PATIENCE_S) -> None:
        parsed = engine.parse(url)
        self.name = engine.name_of(parsed)
        self.file = Path(str(parsed.database)) if engine.is_sqlite(parsed) else None
        self.engine = engine.create(parsed, patience_s)
        self._patience_s = patience_s
        # SQLite's busy handler is not fair: with many threads, one might starve.
        self._turn = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection whose statements all see the same state."""
        options = {}
        if self.file is None:
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with (
            translated(self.name),
            self.engine.connect() as connection,
            connection.execution_options(**options).begin(),
        ):
            yield connection

    @contextmanager
    def writing(self, *, announced: bool = True) -> Iterator[Connection]:
        """Yield a connection whose changes are committed at the end, or not at all.

        announced: count the generation up, so that gateways follow; such writers take turns.
        """
        with translated(self.name), self._my_turn(), self._connection() as connection:
            if announced:
                next_generation = state.update().values(generation=state.c.generation + 1)
                connection.execute(next_generation)
            yield connection

    def generation(self) -> int:
        """Return the number of announced changes so far."""
        with self.reading() as connection:
            return int(connection.execute(sa.select(state.c.generation)).scalar_one())

    def migrate(self) -> None:
        """Bring the tables to the schema of this code, unless they have it."""
        if self.file:
            with translated_file(self.name):
                engine.create_file(self.file)
        with self.reading() as connection:
            if migration.is_current(connection, self.name):
                return
        with self._migrating() as connection:
            # Another gateway may have been faster.
            if not migration.is_current(connection, self.name):
                migration.upgrade(connection)

    def downgrade(self, target: str) -> None:
        """Bring the tables back to a former revision, or to none: "base"."""
        with self._migrating() as connection:
            migration.downgrade(connection, target)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.engine.dispose()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        options = {engine.WRITING: True}
        with (
            self.engine.connect() as connection,
            connection.execution_options(**options).begin(),
        ):
            yield connection

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        """Let one thread write at a time, if the database is a file."""
        if self.file is None:
            yield
            return
        if not self._turn.acquire(timeout=self._patience_s):
            raise RegistryUnavailableError(f"The database {self.name} is busy. Try again.")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _migrating(self) -> Iterator[Connection]:
        """Yield a connection of the only process that migrates."""
        with translated(self.name), self._file_lock(), self._connection() as connection:
            migration.lock(connection)
            yield connection

    @contextmanager
    def _file_lock(self) -> Iterator[None]:
        """Hold the lock on a file beside the database, and set SQLite's write-ahead log."""
        if self.file is None:
            yield
            return
        lock = self.file.with_name(f"{self.file.name}.lock")
        with translated_file(self.name):
            # The kernel releases the lock however the process ends.
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(descriptor, self.name)
            with self.engine.connect() as connection:
                raw = connection.connection.driver_connection
                raw.execute("PRAGMA journal_mode=WAL")  # type: ignore[union-attr]
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int, name: str) -> None:
    end = time.monotonic() + _MIGRATION_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() > end:
                raise RegistryUnavailableError(
                    f"The database {name} is being migrated by another process."
                ) from exc
            time.sleep(0.05)  # polling another process, which has the lock
        else:
            return
