"""Engines: addresses, and time limits on every wait."""

import time

import pytest
import sqlalchemy as sa

from gateway.errors import RegistryUnavailableError
from gateway.registry import audit
from gateway.registry.database import Database
from gateway.registry.storage import engine
from tests.postgres import Postgres
from tests.unit.gateway.registry.conftest import BOSS


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:////srv/registry.sqlite3", "/srv/registry.sqlite3"),
        ("sqlite:///registry.sqlite3", "registry.sqlite3"),
        ("postgresql://me:secret@db.test:5433/segserve", "segserve on db.test"),
        ("postgresql+psycopg://me:secret@db.test/segserve", "segserve on db.test"),
        ("postgresql://me@/segserve?host=/run/postgresql", "segserve on /run/postgresql"),
    ],
)
def test_messages_call_a_database_by_a_name_without_a_password(url: str, name: str) -> None:
    """A file, or host and database."""
    parsed = engine.parse(url)
    assert engine.name_of(parsed) == name
    assert engine.is_sqlite(parsed) == url.startswith("sqlite")
    assert parsed.drivername in {"sqlite", "postgresql+psycopg"}


@pytest.mark.postgres
def test_a_writer_that_stands_still_is_thrown_out(postgres: Postgres) -> None:
    """A gateway that was stopped in a transaction does not keep the others from writing."""
    url = postgres.create_database()
    patient, standing = Database(url), Database(url, patience_s=0.2)
    patient.migrate()
    ended = []
    try:
        with standing.writing() as connection:
            audit.append(connection, BOSS, "test", None, "stands still")
            with patient.writing() as other:
                audit.append(other, BOSS, "test", None, "goes on")
    except RegistryUnavailableError as exc:
        ended.append(exc.detail.count("\n"))
    assert ended == [0]
    with patient.reading() as connection:
        assert [each.subject for each in audit.entries(connection)] == ["goes on"]
    patient.close()
    standing.close()


@pytest.mark.postgres
def test_a_statement_does_not_run_for_ever(postgres: Postgres) -> None:
    """The server ends it, and the line says why."""
    database = Database(postgres.create_database(), patience_s=0.1)
    database.migrate()
    began = time.monotonic()
    with (
        pytest.raises(RegistryUnavailableError, match="statement timeout"),
        database.reading() as connection,
    ):
        connection.execute(sa.text("SELECT pg_sleep(60)"))
    assert time.monotonic() - began < 30
    database.close()


@pytest.mark.postgres
def test_a_server_that_was_restarted_is_connected_to_again(postgres: Postgres) -> None:
    """The connections of the pool are dead; no call notices."""
    database = Database(postgres.create_database())
    database.migrate()
    postgres.stop()
    with pytest.raises(RegistryUnavailableError) as error:
        database.generation()
    assert "\n" not in error.value.detail
    postgres.start()
    assert [database.generation() for _ in range(3)] == [0, 0, 0]
    database.close()
