"""Changes of a model's traffic; each answers the model after it."""

from dataclasses import replace

from gateway.admin import answers
from gateway.admin.bodies import PlacementChange, TrafficChange, TrafficShare
from gateway.admin.schemas import RegisteredModelDetail
from gateway.errors import ConflictError, InvalidRequestError
from gateway.models.parameters import EVERY_VERSION
from gateway.registry import models, policies, versions
from gateway.registry.database import Connection
from gateway.registry.records import CANARY, SHADOW, STABLE, Change, Placement


def set_alias(
    connection: Connection, model: str, alias: str, version: str, change: Change
) -> RegisteredModelDetail:
    """Let an alias name a version; raises ConflictError if a version has that name."""
    if alias == STABLE:
        raise ConflictError(
            "stable is changed by promote, which asks the gate, and by rollback. Use one of them."
        )
    if alias in (CANARY, SHADOW):
        _refuse_stable(connection, model, alias, version)
    if alias == EVERY_VERSION:
        raise InvalidRequestError(f"{alias} cannot be an alias. Choose another name.")
    if any(each.version == alias for each in versions.listed(connection, model)):
        raise ConflictError(f"{alias} is a version of {model}. Choose another name.")
    policies.set_alias(connection, model, alias, version, change)
    return answers.model(connection, model)


def remove_alias(
    connection: Connection, model: str, alias: str, change: Change
) -> RegisteredModelDetail:
    """Remove an alias."""
    policies.remove_alias(connection, model, alias, change)
    return answers.model(connection, model)


def patch(
    connection: Connection, model: str, body: TrafficChange, change: Change
) -> RegisteredModelDetail:
    """Change aliases and shares of canary and shadow, and the limits of the roll-back."""
    models.check(connection, model, change)
    # Checked: each of the steps counts the etag up.
    change = replace(change, if_match=None)
    percent: dict[str, int | None] = {}
    for alias, share in ((CANARY, body.canary), (SHADOW, body.shadow)):
        if alias in body.model_fields_set:
            percent[f"{alias}_percent"] = _share(connection, model, alias, share, change)
    limits = None
    if "limits" in body.model_fields_set:
        limits = body.limits.model_dump(exclude_unset=True) if body.limits else {}
    if limits is not None or any(each is not None for each in percent.values()):
        policies.set_traffic(connection, model, change, **percent, limits=limits)
    return answers.model(connection, model)


def _share(
    connection: Connection, model: str, alias: str, share: TrafficShare | None, change: Change
) -> int | None:
    """Set or remove the alias; return the share that is to be set, if any."""
    named = policies.read(connection, model).aliases.get(alias)
    if share is None:
        if named is not None:
            policies.remove_alias(connection, model, alias, change)
        return None
    wanted, is_new = share.version or named, share.version not in (None, named)
    if wanted is not None and (is_new or share.percent):
        _refuse_stable(connection, model, alias, wanted)
    if is_new:
        policies.set_alias(connection, model, alias, str(share.version), change)
    return share.percent


def _refuse_stable(connection: Connection, model: str, alias: str, version: str) -> None:
    if policies.read(connection, model).aliases.get(STABLE) == version:
        raise ConflictError(f"{version} is stable. Another version can be the {alias}.")


def place(
    connection: Connection, model: str, version: str, body: PlacementChange, change: Change
) -> RegisteredModelDetail:
    """Set the workers of a version on a node, or end the placement."""
    if body.workers is not None:
        placement = Placement(model, version, body.node, body.workers)
        policies.place(connection, placement, change)
        return answers.model(connection, model)
    models.check(connection, model, change)
    versions.get(connection, model, version)
    placed = {(each.version, each.node) for each in answers.model(connection, model).placements}
    if (version, body.node) in placed:
        policies.unplace(connection, model, version, body.node, change)
    return answers.model(connection, model)


def unplace(
    connection: Connection, model: str, version: str, node: str, change: Change
) -> RegisteredModelDetail:
    """End a placement; raises NotFoundError if there is none."""
    policies.unplace(connection, model, version, node, change)
    return answers.model(connection, model)
