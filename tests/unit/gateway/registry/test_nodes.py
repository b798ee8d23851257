"""Nodes: each with its last heartbeat."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from gateway.errors import NotFoundError
from gateway.registry import audit, nodes, versions
from gateway.registry.database import Database
from gateway.registry.records import Change, NodeRecord
from tests.postgres import Postgres
from tests.unit.gateway.registry.conftest import BOSS, MODEL, record

NOW = datetime(2026, 11, 29, 12, 0, 0, 250, tzinfo=UTC)


def test_a_node_is_known_by_its_last_heartbeat(connection: Connection) -> None:
    """A heartbeat replaces the one before."""
    first = NodeRecord("two", "http://two:8080", NOW, {"models": {}})
    later = NodeRecord("two", "http://other:8080", NOW + timedelta(seconds=1), {"free": 1})
    other = NodeRecord("one", "http://one:8080", NOW, {})
    for each in (first, later, other):
        nodes.heard(connection, each)
    assert nodes.listed(connection) == [other, later]


@pytest.mark.postgres
def test_names_are_in_the_order_of_code_points(postgres: Postgres) -> None:
    """Also where the database orders letters as English does: else a page would skip some."""
    english = "TEMPLATE template0 ENCODING UTF8 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'"
    database = Database(postgres.create_database(english))
    database.migrate()
    names = ["B", "Z-1", "a", "a.1", "a_", "b"]
    with database.writing() as connection:
        for name in reversed(names):
            nodes.heard(connection, NodeRecord(name, "http://one:8080", NOW, {}))
            versions.add(connection, record(name), "boss")
        assert [each.name for each in nodes.listed(connection)] == names
        assert [each.version for each in versions.listed(connection, MODEL)] == names
    database.close()


def test_a_forgotten_node_is_gone(connection: Connection) -> None:
    """Its removal is in the audit log; there is no second one."""
    nodes.heard(connection, NodeRecord("one", "http://one:8080", NOW, {}))
    nodes.forget(connection, "one", Change("boss", "broken"))
    assert nodes.listed(connection) == []
    (entry,) = audit.entries(connection)
    assert (entry.action, entry.subject, entry.why) == ("node.forget", "one", "broken")
    with pytest.raises(NotFoundError, match="no node one"):
        nodes.forget(connection, "one", BOSS)


def test_only_nodes_that_are_silent_for_long_are_forgotten(connection: Connection) -> None:
    """Each with an entry in the audit log."""
    for days, name in enumerate(("new", "young", "old", "oldest")):
        nodes.heard(connection, NodeRecord(name, "http://x", NOW - timedelta(days=days), {}))
    before = NOW - timedelta(days=1, seconds=1)
    assert nodes.forget_silent(connection, before, BOSS) == ["old", "oldest"]
    assert [each.name for each in nodes.listed(connection)] == ["new", "young"]
    assert {each.subject for each in audit.entries(connection)} == {"old", "oldest"}
    assert nodes.forget_silent(connection, before, BOSS) == []
