"""Nodes: each with its last heartbeat, which every gateway reads."""

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import NotFoundError
from gateway.registry import audit
from gateway.registry.records import EVERY_NODE, Change, NodeRecord
from gateway.registry.storage.tables import node, placement
from gateway.registry.storage.upsert import upsert


def heard(connection: Connection, record: NodeRecord) -> None:
    """Keep a heartbeat; within `Database.writing(announced=False)`: nothing is to be followed."""
    upsert(connection, node, asdict(record))


def listed(connection: Connection) -> list[NodeRecord]:
    """Return all nodes by name, in the order of code points, which no database's locale changes."""
    rows = connection.execute(sa.select(node)).mappings()
    return sorted((NodeRecord(**row) for row in rows), key=lambda each: each.name)


def forget_silent(connection: Connection, before: datetime, change: Change) -> list[str]:
    """Remove nodes that were last heard before a moment, in UTC; return their names."""
    is_silent = node.c.last_seen < before
    names = []
    for name in (
        connection.execute(sa.select(node.c.name).where(is_silent).order_by(node.c.name))
        .scalars()
        .all()
    ):
        # Unless it is heard, or forgotten by another gateway, in just this moment.
        if connection.execute(node.delete().where(node.c.name == name, is_silent)).rowcount:
            audit.append(connection, change, "node.forget", None, name)
            names.append(name)
    return names


def forget(connection: Connection, name: str, change: Change) -> None:
    """Remove a node that will not come back; raises NotFoundError."""
    if connection.execute(node.delete().where(node.c.name == name)).rowcount == 0:
        raise NotFoundError(f"There is no node {name}.")
    audit.append(connection, change, "node.forget", None, name)


def may_have(connection: Connection, model: str, version: str) -> bool:
    """Whether any node should have a worker of a version: its placement there is not 0."""
    of_version = (placement.c.model == model) & (placement.c.version == version)
    query = sa.select(placement.c.node, placement.c.workers).where(of_version)
    placed = {row.node: row.workers for row in connection.execute(query)}
    names = connection.execute(sa.select(node.c.name)).scalars().all() or {EVERY_NODE, *placed}
    return any(placed.get(name, placed.get(EVERY_NODE)) != 0 for name in names)
