"""The key store: the API keys in the database."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection

from gateway.errors import ConflictError, InternalError, NotFoundError
from gateway.keys.api_key import Key, issue
from gateway.keys.principal import Role
from gateway.registry import audit
from gateway.registry.database import Database
from gateway.registry.records import Change
from gateway.registry.storage.tables import key as table
from gateway.registry.storage.upsert import insert_if_missing
from gateway.state_settings import StateSettings

_COMMAND: Final = "command"
_FIELDS: Final = tuple(table.c[name] for name in Key.model_fields)


class _Document(BaseModel):
    """The file of former versions."""

    keys: list[Key]


class KeyStore:
    """The keys in the database; every method may be called in any thread.

    Failures of the database raise RegistryUnavailableError.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def stamp(self) -> int:
        """Return a number that differs after every change."""
        return self.database.generation()

    def read(self) -> list[Key]:
        """Return all keys that are not revoked, in the order of creation."""
        with self.database.reading() as connection:
            return _valid_keys(connection)

    def add(
        self,
        name: str,
        role: Role,
        rate: str | None = None,
        concurrency: int | None = None,
        *,
        actor: str = _COMMAND,
    ) -> tuple[Key, str]:
        """Add a new key; return its stored form, and the key itself, which is not stored.

        actor: the name of the one that adds it, for the audit log.
        """
        key, presented = issue(name, role, rate, concurrency)
        with self.database.writing() as connection:
            _insert(connection, key, Change(actor))
        return key, presented

    def revoke(self, identity: str, *, keep_an_admin: bool = False, actor: str = _COMMAND) -> None:
        """Take a key back; raises NotFoundError.

        keep_an_admin: raise ConflictError for the last key with the role admin.
        """
        with self.database.writing() as connection:
            keys = {key.id: key for key in _valid_keys(connection)}
            revoked = keys.pop(identity, None)
            if revoked is None:
                raise NotFoundError("There is no key with this id. The list has those there are.")
            if keep_an_admin and not any(key.role == "admin" for key in keys.values()):
                raise ConflictError(
                    "This is the last key with the role admin: without it no other key can "
                    "be added. Add an admin first."
                )
            row = table.update().where(table.c.id == identity)
            connection.execute(row.values(revoked_at=datetime.now(UTC)))
            about = {"name": revoked.name, "role": revoked.role}
            audit.append(connection, Change(actor), "key.revoke", None, identity, before=about)

    def take_over(self, path: Path) -> int:
        """Move the keys of a former version's file into the database; return their number.

        Raises InternalError if the file is damaged. The file is kept as FILE.migrated.
        """
        try:
            keys = _Document.model_validate_json(path.read_bytes()).keys
        except FileNotFoundError:
            return 0
        except (OSError, ValidationError) as exc:
            # Without the exception's message: pydantic quotes the content of the file.
            raise InternalError(
                f"The file of the keys, {path.name}, cannot be read ({type(exc).__name__})."
            ) from exc
        with self.database.writing() as connection:
            new = _unknown(connection, keys)
            for key in new:
                _insert(connection, key, Change(_COMMAND, f"taken over from {path.name}"))
        # Killed before this, or where the folder is read-only, it finds no new key the next time:
        # a key that was revoked meanwhile keeps its row, and so does not come back.
        with suppress(OSError):
            path.rename(path.with_name(f"{path.name}.migrated"))
        return len(new)


def open_store(settings: StateSettings) -> KeyStore:
    """Return the store of a migrated database, with the keys of a former version's file.

    Raises RegistryUnavailableError and InternalError.
    """
    database = Database(settings.database_address)
    database.migrate()
    store = KeyStore(database)
    if settings.former_keys is not None:
        store.take_over(settings.former_keys)
    return store


def _valid_keys(connection: Connection) -> list[Key]:
    query = sa.select(*_FIELDS).where(table.c.revoked_at.is_(None)).order_by(table.c.sequence)
    rows: Iterable[Any] = connection.execute(query).mappings()
    try:
        return [Key.model_validate(dict(row)) for row in rows]
    except ValidationError as exc:
        raise InternalError("A key in the database has a value that is not valid.") from exc


def _unknown(connection: Connection, keys: list[Key]) -> list[Key]:
    """The keys whose ids the table does not have, not even revoked."""
    known = set(connection.execute(sa.select(table.c.id)).scalars())
    return [key for key in keys if key.id not in known]


def _insert(connection: Connection, key: Key, change: Change) -> None:
    # Writers take turns: no other one takes the same number.
    last = connection.execute(sa.select(sa.func.max(table.c.sequence))).scalar() or 0
    insert_if_missing(connection, table, key.model_dump() | {"sequence": last + 1})
    about = {"name": key.name, "role": key.role}
    audit.append(connection, change, "key.add", None, key.id, after=about)
