"""Traffic policies of models: aliases, shares of canary and shadow, placement."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import ConflictError, InvalidRequestError, NotFoundError
from gateway.registry import audit, models, nodes, versions
from gateway.registry.records import CANARY, SHADOW, STABLE, Change, Json, Placement, Policy
from gateway.registry.storage import tables
from gateway.registry.storage.upsert import upsert

_STABLE_ACTIONS: Final = ("alias.set", "promote", "rollback")
_SHARES: Final = {CANARY: "canary_percent", SHADOW: "shadow_percent"}


def read(connection: Connection, model: str) -> Policy:
    """Return a model's policy; raises NotFoundError."""
    query = sa.select(tables.model).where(tables.model.c.name == model)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no model {model}.")
    fields = dict(row)
    return Policy(model=fields.pop("name"), aliases=_aliases(connection, model), **fields)


def set_alias(
    connection: Connection, model: str, alias: str, version: str, change: Change
) -> Policy:
    """Let an alias name a version; raises NotFoundError, ConflictError, PreconditionFailedError."""
    return _set_alias(connection, model, alias, version, change, "alias.set")


def remove_alias(connection: Connection, model: str, alias: str, change: Change) -> Policy:
    """Remove an alias, with its share of the traffic; stable stays.

    Raises NotFoundError, ConflictError and PreconditionFailedError.
    """
    models.touch(connection, model, change)
    if alias == STABLE:
        raise ConflictError("stable can name another version, but it cannot be removed.")
    before = _aliases(connection, model).get(alias)
    if before is None:
        raise NotFoundError(f"{model} has no alias {alias}.")
    _drop_alias(connection, model, alias)
    audit.append(connection, change, "alias.remove", model, alias, before=before)
    return read(connection, model)


def set_traffic(
    connection: Connection,
    model: str,
    change: Change,
    *,
    canary_percent: int | None = None,
    shadow_percent: int | None = None,
    limits: Json | None = None,
) -> Policy:
    """Set shares of the traffic and limits of the automatic roll-back; None leaves one as it is.

    Raises InvalidRequestError, NotFoundError, PreconditionFailedError, and ConflictError for a
    share without the alias that gets it.
    """
    models.touch(connection, model, change)
    before = read(connection, model)
    values: dict[str, Any] = {
        "canary_percent": canary_percent,
        "shadow_percent": shadow_percent,
        "limits": None if limits is None else dict(limits),
    }
    values = {name: value for name, value in values.items() if value is not None}
    _check_shares(before, values)
    if values:
        row = tables.model.c.name == model
        connection.execute(tables.model.update().where(row).values(**values))
    if values.get("canary_percent") and not before.canary_percent:
        # No client is on the canary's side yet, so none changes it.
        _salt(connection, model, change)
    former = {name: getattr(before, name) for name in values}
    audit.append(connection, change, "traffic", model, model, before=former, after=values)
    return read(connection, model)


def promote(connection: Connection, model: str, version: str, change: Change) -> Policy:
    """Make a version stable; it is canary and shadow no longer. Errors are those of set_alias."""
    return _make_stable(connection, model, version, change, "promote")


def roll_back(connection: Connection, model: str, change: Change) -> Policy:
    """Make the version stable that was so before; it is canary and shadow no longer.

    Raises ConflictError if there is none.
    """
    former = former_stable(connection, model)
    if former is None:
        models.touch(connection, model, change)
        raise ConflictError(f"{model} has no former stable version to go back to.")
    return _make_stable(connection, model, former, change, "rollback")


def _make_stable(
    connection: Connection, model: str, version: str, change: Change, action: str
) -> Policy:
    policy = _set_alias(connection, model, STABLE, version, change, action)
    for alias in _SHARES:
        if policy.aliases.get(alias) == version:
            _drop_alias(connection, model, alias)
    return read(connection, model)


def former_stable(connection: Connection, model: str) -> str | None:
    """Return the version to which a roll-back leads: the last stable one that is not retired."""
    query = sa.select(tables.audit.c.action, tables.audit.c.after).where(
        tables.audit.c.model == model,
        tables.audit.c.subject == STABLE,
        tables.audit.c.action.in_(_STABLE_ACTIONS),
    )
    history: list[str] = []
    for action, after in connection.execute(query.order_by(tables.audit.c.id)):
        if action == "rollback" and after in history:
            # What was rolled back is no version to come back to.
            del history[history.index(after) :]
        history = [each for each in history if each != after] + [after]
    served = {
        each.version for each in versions.listed(connection, model) if each.state == "available"
    }
    return next((each for each in reversed(history[:-1]) if each in served), None)


def place(connection: Connection, placement: Placement, change: Change) -> Policy:
    """Set the workers of a version on a node, or on all.

    Raises NotFoundError, PreconditionFailedError, InvalidRequestError, and ConflictError for a
    version that is retired, or stable and would have no worker.
    """
    models.touch(connection, placement.model, change)
    versions.available(connection, placement.model, placement.version)
    if placement.workers < 0:
        raise InvalidRequestError("A number of workers is 0 or more.")
    before = connection.execute(sa.select(tables.placement.c.workers).where(_is(placement)))
    former = before.scalar()
    upsert(
        connection,
        tables.placement,
        {
            "model": placement.model,
            "version": placement.version,
            "node": placement.node,
            "workers": placement.workers,
        },
    )
    _check_stable(connection, placement.model, placement.version)
    subject = f"{placement.version} on {placement.node}"
    audit.append(
        connection,
        change,
        "place",
        placement.model,
        subject,
        before=former,
        after=placement.workers,
    )
    return read(connection, placement.model)


def unplace(connection: Connection, model: str, version: str, node: str, change: Change) -> Policy:
    """Remove a placement; raises as `place` does, and NotFoundError if there is none."""
    models.touch(connection, model, change)
    gone = Placement(model, version, node, 0)
    before = connection.execute(sa.select(tables.placement.c.workers).where(_is(gone))).scalar()
    if before is None:
        raise NotFoundError(f"{model} {version} has no placement on {node}.")
    connection.execute(tables.placement.delete().where(_is(gone)))
    _check_stable(connection, model, version)
    audit.append(connection, change, "unplace", model, f"{version} on {node}", before=before)
    return read(connection, model)


def _check_stable(connection: Connection, model: str, version: str) -> None:
    is_stable = _aliases(connection, model).get(STABLE) == version
    if is_stable and not nodes.may_have(connection, model, version):
        raise ConflictError(
            f"{model} {version} is stable and needs at least 1 worker on a node. "
            "Scale it up on another node first, or make another version stable."
        )


def _set_alias(
    connection: Connection, model: str, alias: str, version: str, change: Change, action: str
) -> Policy:
    models.touch(connection, model, change)
    versions.available(connection, model, version)
    before = _aliases(connection, model).get(alias)
    upsert(connection, tables.alias, {"model": model, "alias": alias, "version": version})
    if alias == STABLE and not nodes.may_have(connection, model, version):
        raise ConflictError(
            f"{model} {version} has 0 workers on every node, and would be stable: scale it first, "
            f"with `segserve versions scale {version} 2`."
        )
    if alias == CANARY and before != version:
        # Another canary is tried by other clients.
        _salt(connection, model, change)
    audit.append(connection, change, action, model, alias, before=before, after=version)
    return read(connection, model)


def _salt(connection: Connection, model: str, change: Change) -> None:
    row = tables.model.c.name == model
    salt = change.salt or models.new_salt()
    connection.execute(tables.model.update().where(row).values(salt=salt))


def _drop_alias(connection: Connection, model: str, alias: str) -> None:
    of_alias = (tables.alias.c.model == model) & (tables.alias.c.alias == alias)
    connection.execute(tables.alias.delete().where(of_alias))
    if share := _SHARES.get(alias):
        row = tables.model.c.name == model
        connection.execute(tables.model.update().where(row).values({share: 0}))


def _check_shares(policy: Policy, values: Mapping[str, Any]) -> None:
    for alias, share in _SHARES.items():
        percent = values.get(share, 0)
        if not 0 <= percent <= 100:
            raise InvalidRequestError(f"The share of {alias} is a percentage from 0 to 100.")
        if percent and alias not in policy.aliases:
            raise ConflictError(f"{policy.model} has no {alias}. Name its version first.")


def _aliases(connection: Connection, model: str) -> dict[str, str]:
    query = sa.select(tables.alias.c.alias, tables.alias.c.version)
    query = query.where(tables.alias.c.model == model).order_by(tables.alias.c.alias)
    return {row.alias: row.version for row in connection.execute(query)}


def _is(placement: Placement) -> sa.ColumnElement[bool]:
    columns = tables.placement.c
    return sa.and_(
        columns.model == placement.model,
        columns.version == placement.version,
        columns.node == placement.node,
    )
