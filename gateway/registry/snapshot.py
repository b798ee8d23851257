"""Snapshot: the whole registry in memory, by which requests are routed."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.registry import nodes, versions
from gateway.registry.records import EVERY_NODE, Json, NodeRecord, Placement, VersionRecord
from gateway.registry.storage import tables


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model with its versions and its traffic policy. Versions are in the order of adding."""

    name: str
    etag: int
    salt: str
    canary_percent: int
    shadow_percent: int
    limits: Json
    versions: Mapping[str, VersionRecord] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    placements: tuple[Placement, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The registry at a generation; the nodes as they were last heard, by any gateway."""

    generation: int
    models: Mapping[str, ModelState] = field(default_factory=dict)
    nodes: Mapping[str, NodeRecord] = field(default_factory=dict)


# Before anything was loaded.
EMPTY: Final = Snapshot(-1)


def load(connection: Connection, known: Snapshot = EMPTY) -> Snapshot:
    """Return the registry as it is. known: the last one, of which an unchanged part is used."""
    generation = connection.execute(sa.select(tables.state.c.generation)).scalar_one()
    heard = {each.name: each for each in nodes.listed(connection)}
    if generation == known.generation:
        return known if heard == known.nodes else replace(known, nodes=heard)
    return Snapshot(generation, _models(connection), heard)


def _models(connection: Connection) -> dict[str, ModelState]:
    of_model: dict[str, dict[str, VersionRecord]] = defaultdict(dict)
    for each in versions.listed(connection):
        of_model[each.model][each.version] = each
    aliases: dict[str, dict[str, str]] = defaultdict(dict)
    for row in connection.execute(sa.select(tables.alias)):
        aliases[row.model][row.alias] = row.version
    placements: dict[str, list[Placement]] = defaultdict(list)
    order = tables.placement.c.version, tables.placement.c.node
    for placed in connection.execute(sa.select(tables.placement).order_by(*order)).mappings():
        placements[placed["model"]].append(Placement(**placed))
    rows = connection.execute(sa.select(tables.model).order_by(tables.model.c.name)).mappings()
    return {
        row["name"]: ModelState(
            **row,
            versions=of_model[row["name"]],
            aliases=aliases[row["name"]],
            placements=tuple(placements[row["name"]]),
        )
        for row in rows
    }


def workers_on(state: ModelState, version: str, node: str) -> int | None:
    """Return the workers of a version on a node; None for as many as the node gives a version.

    A placement on the node itself counts more than one on every node.
    """
    placed = {each.node: each.workers for each in state.placements if each.version == version}
    return placed.get(node, placed.get(EVERY_NODE))
