"""The portable file of a backup: a database of SQLite with a digest of all its rows."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.errors import ConflictError

_MAGIC: Final = b"SQLite format 3\x00"
_TABLES: Final = (
    "SELECT name FROM sqlite_master WHERE type = 'table' "
    "AND name NOT LIKE 'sqlite~_%' ESCAPE '~' AND name <> 'seal' ORDER BY name"
)


def seal(path: Path) -> None:
    """Write the digest of all rows into the file, which then is a single, whole file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")  # leaves no -wal beside it
        connection.execute("CREATE TABLE seal (made_at TEXT NOT NULL, sha256 TEXT NOT NULL)")
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        connection.execute("INSERT INTO seal VALUES (?, ?)", (made_at, _digest(connection)))
        connection.commit()


def check(path: Path) -> str:
    """Return when a backup was made; raises ConflictError if the file is none, or damaged."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ConflictError(f"{path} is not a backup.")
        with _opened(path) as connection:
            (problem,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            made_at, digest = connection.execute("SELECT made_at, sha256 FROM seal").fetchone()
            if problem != "ok" or digest != _digest(connection):
                raise ConflictError(f"{path} is damaged. Take another backup.")
    except OSError as exc:
        raise ConflictError(f"{path} cannot be read: {exc.strerror}.") from exc
    # A damaged file fails anywhere: in its pages, in the text or in the JSON of a row.
    except (sqlite3.Error, TypeError, ValueError, OverflowError, MemoryError) as exc:
        raise ConflictError(f"{path} is damaged, or not a backup ({exc}).") from exc
    return str(made_at)


def revision(path: Path) -> str:
    """Return the revision of the schema of a file that `check` found whole."""
    with _opened(path) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file only to read, without locks and files beside it."""
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        yield connection


def _digest(connection: sqlite3.Connection) -> str:
    """SHA-256 over the names of the tables and columns, and over all rows."""
    digest = hashlib.sha256()
    for (table,) in connection.execute(_TABLES).fetchall():
        rows = connection.execute(f'SELECT * FROM "{table}" ORDER BY rowid')  # noqa: S608  # names of ours
        digest.update(json.dumps([table, [column[0] for column in rows.description]]).encode())
        for row in rows:
            digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()
