"""Models: their rows, and the etags by which the second of two changes is refused."""

import secrets
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import NotFoundError, PreconditionFailedError
from gateway.registry.records import Change
from gateway.registry.storage.tables import model
from gateway.registry.storage.upsert import insert_if_missing

_SALT_BYTES: Final = 8


def new_salt() -> str:
    """Return a random salt: with it, other clients are on the canary's side."""
    return secrets.token_hex(_SALT_BYTES)


def ensure(connection: Connection, name: str) -> None:
    """Create the model's row, unless there is one."""
    row = {"name": name, "etag": 0, "salt": new_salt(), "limits": {}}
    insert_if_missing(connection, model, row | {"canary_percent": 0, "shadow_percent": 0})


def etag(connection: Connection, name: str) -> int:
    """Return the model's etag; raises NotFoundError."""
    found = connection.execute(sa.select(model.c.etag).where(model.c.name == name)).scalar()
    if found is None:
        raise NotFoundError(f"There is no model {name}.")
    return int(found)


def touch(connection: Connection, name: str, change: Change) -> None:
    """Count the model's etag up; raises NotFoundError and PreconditionFailedError."""
    statement = model.update().where(model.c.name == name)
    if change.if_match is not None:
        statement = statement.where(model.c.etag.in_(change.if_match))
    if connection.execute(statement.values(etag=model.c.etag + 1)).rowcount == 0:
        check(connection, name, change)


def check(connection: Connection, name: str, change: Change) -> None:
    """Raise what `touch` would raise, and change nothing."""
    current = etag(connection, name)
    if change.if_match is not None and current not in change.if_match:
        raise PreconditionFailedError(
            f"{name} has changed meanwhile: its etag is {current}, which If-Match does not have. "
            "Read it again and retry."
        )
