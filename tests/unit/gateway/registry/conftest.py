"""Databases of both kinds, empty and migrated."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from gateway.registry import versions
from gateway.registry.database import Database
from gateway.registry.records import Change, VersionRecord
from tests.postgres import Postgres

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgres)
BOSS = Change("boss")
MODEL = "deeplabv3"


def record(version: str, sha256: str = "a" * 64, model: str = MODEL) -> VersionRecord:
    """A version as an upload creates it."""
    return VersionRecord(
        model=model,
        version=version,
        sha256=sha256,
        size=1000,
        labels={0: "background", 15: "person"},
        facts={"spec": {"size": 481}, "card": {"name": "Näme"}},
        created_at=datetime(2026, 11, 29, 12, 30, 0, 123456, tzinfo=UTC),
        created_by="boss",
    )


def add(connection: Connection, *names: str) -> None:
    """Add versions."""
    for name in names:
        versions.add(connection, record(name), "boss")


@pytest.fixture(params=["sqlite", POSTGRESQL])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of SQLite and of PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'registry.sqlite3'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create_database()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A migrated database."""
    opened = Database(url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A connection that writes."""
    with database.writing() as writer:
        yield writer
