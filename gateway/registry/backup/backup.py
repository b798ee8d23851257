"""Backup and restore: all rows of a database into a portable file, and back into any database.

But for the nodes: what they last said is true of them now, and stale in a backup.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from gateway.errors import ConflictError, RegistryUnavailableError
from gateway.registry import audit
from gateway.registry.backup import sealed_file
from gateway.registry.database import Database
from gateway.registry.records import Change
from gateway.registry.storage import migration, watchdog
from gateway.registry.storage.tables import METADATA, key, model, node, state

_BLOCK: Final = 500
_TABLES: Final = tuple(table for table in METADATA.sorted_tables if table is not node)
# What a restore replaces only if it is forced to.
_DATA: Final = ("version", "alias", "placement", "evaluation", "key", "shadow_hour")

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Restored:
    """A restore: when the backup was made, and the rows of each table before and after.

    valid_again: names of the keys that were revoked before, and are not in the backup.
    """

    made_at: str
    replaced: Counts
    rows: Counts
    valid_again: tuple[str, ...]


def backup(database: Database, path: Path, *, force: bool = False) -> Counts:
    """Write all rows to a file, at one moment, while gateways run; return their numbers.

    Raises ConflictError if there is a file and it must not be replaced.
    """
    if path.exists() and not force:
        raise ConflictError(
            f"{path} exists already. Choose another name, or replace it by --force."
        )
    if database.file and not database.file.exists():
        raise ConflictError(f"There is no database {database.name}.")
    with _beside(path) as temporary:
        portable = Database(f"sqlite:///{temporary}")
        portable.migrate()
        with database.reading() as source, portable.writing(announced=False) as target:
            watchdog.leave_alone(source)
            if not migration.is_current(source, database.name):
                raise RegistryUnavailableError(
                    f"{database.name} has no tables of this version yet. Start the gateway first."
                )
            _clear(target)
            _copy(source, target)
            counts = _counts(target)
        portable.close()
        sealed_file.seal(temporary)
        _publish(temporary, path)
    return counts


def restore(database: Database, path: Path, *, force: bool = False) -> Restored:
    """Replace all rows of a database by those of a backup, in one transaction.

    Raises ConflictError for a file that is damaged, of a newer version or not a backup, and, unless
    forced, for a database with data.
    """
    made_at = sealed_file.check(path)
    if (found := sealed_file.revision(path)) not in migration.REVISIONS:
        raise ConflictError(
            f"{path} is of a newer version of Segserve: it has the schema {found}, "
            f"and this version knows those up to {migration.HEAD}."
        )
    with tempfile.TemporaryDirectory(prefix="segserve-") as folder:
        # A copy: an older one is migrated first.
        copy = shutil.copyfile(path, Path(folder, "backup.sqlite3"))
        portable = Database(f"sqlite:///{copy}")
        portable.migrate()
        database.migrate()
        with portable.reading() as source, database.writing() as target:
            watchdog.leave_alone(target)
            _lock_tables(target)
            replaced = _counts(target)
            _refuse_to_lose(database.name, replaced, force)
            revoked = _key_names(target, key.c.revoked_at.is_not(None))
            rows = _replace(source, target)
            valid = _key_names(target, key.c.revoked_at.is_(None))
            change = Change("command", f"the backup {path.name} of {made_at}")
            audit.append(target, change, "restore", None, "database", before=replaced, after=rows)
        portable.close()
    again = tuple(name for identity, name in valid.items() if identity in revoked)
    return Restored(made_at, replaced, rows, again)


def _key_names(connection: Connection, which: sa.ColumnElement[bool]) -> Mapping[str, str]:
    """Return id -> name, in the order of adding."""
    query = sa.select(key.c.id, key.c.name).where(which).order_by(key.c.sequence)
    return {row.id: row.name for row in connection.execute(query)}


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file in the same folder; what is left of it is removed."""
    try:
        folder = tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    except OSError as exc:
        raise ConflictError(f"{path} cannot be written: {exc.strerror}.") from exc
    try:
        yield Path(folder, "backup")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(temporary: Path, path: Path) -> None:
    """Give a whole and durable file its name."""
    for each in (temporary, None, path.absolute().parent):
        if each is None:
            temporary.replace(path)
            continue
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refuse_to_lose(name: str, counts: Counts, force: bool) -> None:
    lost = {table: count for table, count in counts.items() if table in _DATA and count}
    if lost and not force:
        rows = ", ".join(f"{table} {count}" for table, count in lost.items())
        raise ConflictError(
            f"{name} has data already, in rows: {rows}. Back it up, then replace it by --force."
        )


def _replace(source: Connection, target: Connection) -> Counts:
    generation = target.execute(sa.select(state.c.generation)).scalar_one()
    etag = target.execute(sa.select(sa.func.coalesce(sa.func.max(model.c.etag), 0))).scalar_one()
    _clear(target)
    _copy(source, target)
    # Neither gateways nor If-Match may take the restored state for the one they know.
    target.execute(state.update().values(generation=state.c.generation + generation))
    target.execute(model.update().values(etag=model.c.etag + etag))
    if target.dialect.name == "postgresql":
        _set_sequences(target)
    return _counts(target)


def _clear(target: Connection) -> None:
    for table in reversed(_TABLES):
        target.execute(table.delete())


def _copy(source: Connection, target: Connection) -> None:
    for table in _TABLES:
        rows = source.execute(sa.select(table).order_by(*table.primary_key)).mappings()
        for block in rows.partitions(_BLOCK):
            target.execute(table.insert(), [dict(row) for row in block])


def _counts(connection: Connection) -> Counts:
    tables = [table for table in _TABLES if table is not state]
    return {table.name: _count(connection, table) for table in tables}


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _lock_tables(target: Connection) -> None:
    """Let no gateway add rows while they are replaced; SQLite has one writer anyway."""
    if target.dialect.name == "postgresql":
        names = ", ".join(f'"{table.name}"' for table in _TABLES)
        target.execute(sa.text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))


def _set_sequences(target: Connection) -> None:
    """Let PostgreSQL number new rows behind the restored ones."""
    for table in _TABLES:
        if table.autoincrement_column is not None:
            target.execute(
                sa.text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "  # noqa: S608
                    f'(SELECT coalesce(max(id), 0) + 1 FROM "{table.name}"), false)'
                )
            )
