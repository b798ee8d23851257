"""The snapshot: the whole registry, read by few statements."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event

from gateway.registry import nodes, policies, snapshot, versions
from gateway.registry.database import Database
from gateway.registry.records import CANARY, STABLE, NodeRecord, Placement
from gateway.registry.snapshot import EMPTY, Snapshot
from gateway.registry.storage import tables
from tests.unit.gateway.registry.conftest import BOSS, MODEL, add, record

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def loaded(database: Database, known: Snapshot = EMPTY) -> Snapshot:
    """The snapshot of now."""
    with database.reading() as connection:
        return snapshot.load(connection, known)


@pytest.fixture
def statements(database: Database) -> list[str]:
    """The statements since the fixture was made."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    event.listen(database.engine, "before_cursor_execute", note)
    return seen


def test_a_snapshot_has_everything_of_each_model(database: Database) -> None:
    """Versions, aliases, shares, limits, placements, nodes."""
    one = NodeRecord("one", "http://one:8080", NOW, {"free": 1})
    with database.writing() as connection:
        add(connection, "1.0", "2.0")
        policies.set_alias(connection, MODEL, STABLE, "1.0", BOSS)
        policies.set_alias(connection, MODEL, CANARY, "2.0", BOSS)
        policies.set_traffic(connection, MODEL, BOSS, canary_percent=5, limits={"error_rate": 0.1})
        for node in ("one", "*"):
            policies.place(connection, Placement(MODEL, "1.0", node, 2), BOSS)
        versions.add(connection, record("1.0", model="other"), "boss")
        nodes.heard(connection, one)
        policy = policies.read(connection, MODEL)
    whole = loaded(database)
    assert whole.generation == database.generation()
    assert whole.nodes == {"one": one}
    assert list(whole.models) == [MODEL, "other"]
    model = whole.models[MODEL]
    assert model.versions == {"1.0": record("1.0"), "2.0": record("2.0")}
    assert model.aliases == policy.aliases == {STABLE: "1.0", CANARY: "2.0"}
    assert (model.etag, model.salt) == (policy.etag, policy.salt)
    assert (model.canary_percent, model.shadow_percent) == (5, 0)
    assert model.limits == {"error_rate": 0.1}
    assert [each.node for each in model.placements] == ["*", "one"]
    other = whole.models["other"]
    assert (other.aliases, other.placements) == ({}, ())


def test_an_unchanged_registry_is_not_read_again(database: Database, statements: list[str]) -> None:
    """The generation and the nodes are looked at; the models stay the same objects."""
    first = loaded(database)
    statements.clear()
    assert loaded(database, first) is first
    assert len([each for each in statements if each.startswith("SELECT")]) == 2
    with database.writing(announced=False) as connection:
        nodes.heard(connection, NodeRecord("one", "http://one:8080", NOW, {}))
    heard = loaded(database, first)
    assert heard.models is first.models
    assert list(heard.nodes) == ["one"]


def test_the_number_of_statements_does_not_grow(database: Database, statements: list[str]) -> None:
    """500 versions are read by as many statements as one."""

    def counted() -> int:
        statements.clear()
        loaded(database)
        return len(statements)

    with database.writing() as connection:
        add(connection, "1.0")
    few = counted()
    _many(database, 500)
    assert len(loaded(database).models[MODEL].versions) == 501
    assert counted() == few <= 8


def _many(database: Database, number: int) -> None:
    fields = record("1.0")
    rows = [
        {
            "model": MODEL,
            "version": f"1.{index}",
            "sha256": "a" * 64,
            "size": 1000,
            "state": "available",
            "labels": {str(index): f"class {index}" for index in range(21)},
            "facts": dict(fields.facts),
            "created_at": NOW,
            "created_by": "boss",
        }
        for index in range(1, number + 1)
    ]
    with database.writing() as connection:
        connection.execute(tables.version.insert(), rows)


def test_before_anything_there_is_an_empty_one(connection: Connection) -> None:
    """A new database has no models, but a generation."""
    assert snapshot.load(connection) == Snapshot(1)
    assert (EMPTY.generation, EMPTY.models, EMPTY.nodes) == (-1, {}, {})
