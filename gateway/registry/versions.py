"""Versions of models: add, retire, read."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from gateway.errors import ConflictError, NotFoundError
from gateway.registry import audit, models
from gateway.registry.records import Change, VersionRecord
from gateway.registry.storage.tables import alias, placement, version
from gateway.registry.storage.tables import audit as log

_ADD: Final = "version.add"
_REBUILD: Final = "version.rebuild"
_GIVING_BYTES: Final = (_ADD, _REBUILD)


def add(connection: Connection, record: VersionRecord, actor: str, why: str = "") -> VersionRecord:
    """Keep a version; return it. The same bytes again make a retired one available.

    Raises ConflictError if the version has other bytes, or an alias has its name.
    """
    refuse_alias(connection, record.model, record.version)
    models.ensure(connection, record.model)
    change = Change(actor, why)
    known = _find(connection, record.model, record.version)
    if known is None:
        models.touch(connection, record.model, change)
        connection.execute(version.insert().values(**_row(record)))
        _note(connection, change, _ADD, record, before=None)
        return record
    if known.sha256 != record.sha256:
        raise ConflictError(
            f"{record.model} has a version {record.version} already, of other bytes "
            f"(sha256 {known.sha256[:12]}...). Give the archive another version."
        )
    if known.state == "available":
        return known
    models.touch(connection, record.model, change)
    _set_state(connection, known, "available")
    again = replace(known, state="available")
    _note(connection, change, _ADD, again, before={"state": "retired"})
    return again


def refuse_alias(connection: Connection, model: str, name: str) -> None:
    """Raise ConflictError if an alias has this name: requests could not tell them apart."""
    of_alias = (alias.c.model == model) & (alias.c.alias == name)
    named = connection.execute(sa.select(alias.c.version).where(of_alias)).scalar()
    if named is not None:
        raise ConflictError(
            f"{name} is an alias of {model} {named}. Build this archive with another --version, "
            "or remove the alias."
        )


def replace_seed(connection: Connection, record: VersionRecord, change: Change) -> VersionRecord:
    """Let a version that came with a node have other bytes: it was built again of its weights.

    The one exception to a version's keeping its bytes. Not for bytes that it `had` before: the
    seeds of two nodes would take turns.
    """
    models.touch(connection, record.model, change)
    known = get(connection, record.model, record.version)
    row = (version.c.model == record.model) & (version.c.version == record.version)
    connection.execute(version.update().where(row).values(**_row(record)))
    _note(connection, change, _REBUILD, record, before={"sha256": known.sha256})
    return record


def had(connection: Connection, model: str, name: str, sha256: str) -> bool:
    """Whether a version has or had the archive with this digest, by the audit log."""
    entries = sa.select(log.c.before, log.c.after).where(
        log.c.model == model, log.c.subject == name, log.c.action.in_(_GIVING_BYTES)
    )
    values = [value for row in connection.execute(entries) for value in row]
    return any(isinstance(value, dict) and value.get("sha256") == sha256 for value in values)


def retire(connection: Connection, model: str, name: str, change: Change) -> None:
    """Serve a version no longer; its record stays, its placements go.

    Raises NotFoundError, PreconditionFailedError, and ConflictError while an alias names it.
    """
    models.touch(connection, model, change)
    known = get(connection, model, name)
    of_version = (alias.c.model == model) & (alias.c.version == name)
    names = connection.execute(sa.select(alias.c.alias).where(of_version)).scalars().all()
    if names:
        raise ConflictError(f"{model} {name} is {' and '.join(sorted(names))}. Change that first.")
    if known.state == "retired":
        raise ConflictError(f"{model} {name} is retired already.")
    connection.execute(
        placement.delete().where(placement.c.model == model, placement.c.version == name)
    )
    _set_state(connection, known, "retired")
    _note(
        connection,
        change,
        "version.retire",
        replace(known, state="retired"),
        before={"state": "available"},
    )


def get(connection: Connection, model: str, name: str) -> VersionRecord:
    """Return a version, also a retired one; raises NotFoundError."""
    found = _find(connection, model, name)
    if found is None:
        raise NotFoundError(f"{model} has no version {name}.")
    return found


def available(connection: Connection, model: str, name: str) -> VersionRecord:
    """Return a version that may be served; raises NotFoundError and ConflictError."""
    found = get(connection, model, name)
    if found.state != "available":
        raise ConflictError(f"{model} {name} is retired. Add its archive again.")
    return found


def listed(connection: Connection, model: str | None = None) -> list[VersionRecord]:
    """Return all versions, or those of a model, in the order of their adding, then of names."""
    query = sa.select(version)
    if model is not None:
        query = query.where(version.c.model == model)
    records = _records(connection.execute(query).mappings())
    # Names by code points, which no database's locale changes.
    return sorted(records, key=lambda each: (each.created_at, each.model, each.version))


def uses(connection: Connection, sha256: str) -> bool:
    """Whether an available version has the archive with this digest."""
    query = sa.select(version.c.version).where(version.c.sha256 == sha256)
    return connection.execute(query.where(version.c.state == "available")).first() is not None


def _find(connection: Connection, model: str, name: str) -> VersionRecord | None:
    query = sa.select(version).where(version.c.model == model, version.c.version == name)
    return next(iter(_records(connection.execute(query).mappings())), None)


def _records(rows: Iterable[RowMapping]) -> list[VersionRecord]:
    return [VersionRecord(**{**row, "labels": _by_id(row["labels"])}) for row in rows]


def _by_id(labels: dict[str, str]) -> dict[int, str]:
    # In JSON names are strings.
    return {int(index): name for index, name in labels.items()}


def _row(record: VersionRecord) -> dict[str, Any]:
    labels = {str(index): name for index, name in record.labels.items()}
    return asdict(record) | {"labels": labels}


def _set_state(connection: Connection, record: VersionRecord, state: str) -> None:
    row = (version.c.model == record.model) & (version.c.version == record.version)
    connection.execute(version.update().where(row).values(state=state))


def _note(
    connection: Connection, change: Change, action: str, record: VersionRecord, before: Any
) -> None:
    after = {"state": record.state, "sha256": record.sha256}
    audit.append(
        connection, change, action, record.model, record.version, before=before, after=after
    )
