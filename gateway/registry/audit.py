"""The audit log: one entry for each change; entries are added, and never changed."""

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import InvalidRequestError
from gateway.registry.records import AUTOMATIC, CANARY, STABLE, AuditEntry, Change
from gateway.registry.storage.tables import audit

_LONGEST_REASON = 1000
# Changes without a model that concern them all, other than those of keys.
_OF_EVERY_MODEL: Final = ("node.forget", "restore")


def append(
    connection: Connection,
    change: Change,
    action: str,
    model: str | None,
    subject: str,
    *,
    before: Any = None,
    after: Any = None,
) -> None:
    """Add an entry, in the transaction of the change itself; raises InvalidRequestError.

    action: such as "alias.set". subject: what was changed. before, after: its values, as JSON.
    """
    if len(change.why) > _LONGEST_REASON or "\x00" in change.why:
        raise InvalidRequestError(f"The reason is a text of up to {_LONGEST_REASON} characters.")
    connection.execute(
        audit.insert().values(
            at=datetime.now(UTC),
            actor=change.actor,
            action=action,
            model=model,
            subject=subject,
            before=before,
            after=after,
            why=change.why,
        )
    )


def entries(
    connection: Connection, model: str | None = None, *, limit: int = 100, before: int | None = None
) -> list[AuditEntry]:
    """Return the latest entries, the newest first.

    model: only those of a model, and those of nodes and databases, which serve every one.
    before: only those with smaller ids: the last page's last one.
    """
    query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
    if model is not None:
        query = query.where((audit.c.model == model) | audit.c.action.in_(_OF_EVERY_MODEL))
    if before is not None:
        query = query.where(audit.c.id < before)
    return [AuditEntry(**row) for row in connection.execute(query).mappings()]


def automatic_roll_back(connection: Connection, model: str, version: str) -> AuditEntry | None:
    """Return when a canary was rolled back by itself, since stable changed last; None if never."""
    query = sa.select(audit).where(audit.c.model == model).order_by(audit.c.id)
    canary: Any = None
    found: AuditEntry | None = None
    for row in connection.execute(query).mappings():
        entry = AuditEntry(**row)
        if entry.subject == STABLE:
            found = None
        elif entry.subject == CANARY:
            canary = entry.after
        elif entry.actor == AUTOMATIC and entry.action == "traffic" and canary == version:
            found = entry
    return found
