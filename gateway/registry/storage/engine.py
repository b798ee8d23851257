"""SQLAlchemy engines for SQLite and PostgreSQL, with the same transactions on both."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine, event

from gateway.errors import RegistryUnavailableError
from gateway.registry.storage import watchdog

# An execution option of a connection whose transactions write.
WRITING: Final = "segserve_writing"
_CONNECT_S: Final = 2


def parse(url: str) -> URL:
    """Return the URL with its driver; raises RegistryUnavailableError if it is none of ours."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as exc:
        raise RegistryUnavailableError("The database's URL is malformed.") from exc
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise RegistryUnavailableError(
        "The database's URL begins with sqlite:/// and a file, or with postgresql://."
    )


def name_of(url: URL) -> str:
    """Return what messages call the database: a file, or host and name, without a password."""
    if is_sqlite(url):
        return str(url.database)
    return f"{url.database or url.username} on {url.host or url.query.get('host', 'localhost')}"


def is_sqlite(url: URL) -> bool:
    """Whether the database is a file of SQLite."""
    return url.get_backend_name() == "sqlite"


def create_file(path: Path) -> None:
    """Create a database's file, which only its owner may read, and the folder; raises OSError."""
    # SQLite gives its -wal and -shm files the mode of this one; it has the digests of keys.
    path.parent.mkdir(parents=True, exist_ok=True)
    # An existing file is not opened: closing it would end the locks of all of this process's
    # connections (POSIX), and another process would take itself for the last one, and delete the
    # write-ahead log.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def create(url: URL, patience_s: float) -> Engine:
    """Return an engine; it connects when it is first used.

    patience_s: seconds to wait for a lock, or for a connection of the pool.
    """
    if is_sqlite(url):
        engine = sa.create_engine(
            url, connect_args={"timeout": patience_s}, pool_timeout=patience_s
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_in_sqlite)
        return engine
    engine = sa.create_engine(
        url, connect_args=_postgresql_options(patience_s), pool_timeout=patience_s
    )
    # The server ends its own waiting before; this is for servers that do not.
    watchdog.watch(engine, 6 * patience_s)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    """Make a commit durable, and leave transactions to `_begin_in_sqlite`."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_in_sqlite(connection: Connection) -> None:
    """Begin; a writer takes the lock at once, as one that has read already may not wait for it."""
    writing = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _postgresql_options(patience_s: float) -> dict[str, Any]:
    """Limits with which neither a dead network nor a stopped gateway holds the others up."""
    patience_ms = round(patience_s * 1000)
    return {
        "connect_timeout": _CONNECT_S,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": patience_ms,
        "application_name": "segserve",
        "options": (
            f"-c lock_timeout={patience_ms} -c statement_timeout={4 * patience_ms} "
            f"-c idle_in_transaction_session_timeout={2 * patience_ms}"
        ),
    }
