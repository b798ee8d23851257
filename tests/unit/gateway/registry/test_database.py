"""The database: transactions, generations, and what is wrong in one line."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.errors import InternalError, InvalidRequestError, RegistryUnavailableError
from gateway.registry import audit, nodes
from gateway.registry.database import Database
from gateway.registry.records import Change, NodeRecord
from gateway.registry.storage.tables import model, node
from tests.unit.gateway.registry.conftest import BOSS, add


def test_the_generation_grows_with_each_commit_and_never_with_a_roll_back(
    database: Database,
) -> None:
    """Gateways follow what was committed, and nothing else."""
    assert database.generation() == 0
    for expected in (1, 2):
        with database.writing() as connection:
            audit.append(connection, BOSS, "test", None, "subject")
        assert database.generation() == expected
    with suppress(ZeroDivisionError), database.writing() as connection:
        add(connection, "1.0")
        raise ZeroDivisionError
    assert database.generation() == 2
    with database.reading() as connection:
        assert connection.execute(sa.select(model)).all() == []
        assert len(audit.entries(connection)) == 2


def test_a_heartbeat_is_no_new_generation(database: Database) -> None:
    """Heartbeats, each second of each node, are not announced."""
    with database.writing(announced=False) as connection:
        nodes.heard(connection, NodeRecord("one", "http://one", datetime.now(UTC), {}))
    assert database.generation() == 0
    with database.reading() as connection:
        assert [each.name for each in nodes.listed(connection)] == ["one"]


def test_a_reader_sees_one_state(database: Database) -> None:
    """What is committed meanwhile is not seen by a reader that has begun, and does not wait."""
    with database.reading() as reader:
        before = len(audit.entries(reader))
        with database.writing() as writer:
            audit.append(writer, BOSS, "test", None, "subject")
        assert len(audit.entries(reader)) == before == 0
    with database.reading() as reader:
        assert len(audit.entries(reader)) == 1


def test_a_reader_cannot_write_to_postgresql_and_a_writer_does_not_wait_for_it(
    database: Database,
) -> None:
    """Readers and writers do not hold each other up."""
    with database.reading() as reader:
        reader.execute(sa.select(node)).all()
        with database.writing(announced=False) as writer:
            writer.execute(node.delete())
    assert database.generation() == 0


def test_threads_at_once_lose_nothing(database: Database) -> None:
    """Each of many writers reads what the one before wrote."""

    def write(number: int) -> None:
        with database.writing() as connection:
            before = len(audit.entries(connection, limit=1000))
            audit.append(connection, Change(f"writer {number}"), "test", None, str(before))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(80)))
    with database.reading() as connection:
        subjects = [int(entry.subject) for entry in audit.entries(connection, limit=1000)]
    assert subjects == list(reversed(range(80)))
    assert database.generation() == 80


def test_a_text_that_a_database_cannot_keep_is_one_line(database: Database) -> None:
    """A reason with a NUL character is refused by both databases alike."""
    with pytest.raises(InvalidRequestError, match="reason"), database.writing() as connection:
        audit.append(connection, Change("boss", "a\x00b"), "test", None, "subject")


def test_a_broken_rule_is_an_error_of_ours(database: Database) -> None:
    """A row that refers to nothing is refused."""
    with pytest.raises(InternalError, match="rule"), database.writing() as connection:
        connection.execute(
            sa.text("INSERT INTO alias (model, alias, version) VALUES ('a', 'stable', 'b')")
        )
    assert database.generation() == 0


def test_the_file_is_private(tmp_path: Path) -> None:
    """The digests of keys are readable by the owner alone, also in the write-ahead log."""
    database = Database(f"sqlite:///{tmp_path / 'state' / 'registry.sqlite3'}")
    database.migrate()
    with database.writing() as connection:
        add(connection, "1.0")
        modes = {each.name: each.stat().st_mode & 0o777 for each in (tmp_path / "state").iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"registry.sqlite3", "registry.sqlite3-wal"} <= modes.keys()


def test_a_commit_is_durable(tmp_path: Path) -> None:
    """The file has a write-ahead log that is synchronised at each commit."""
    database = Database(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
    database.migrate()
    with database.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    full = 2
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@host/db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///",
        "postgresql+asyncpg://u:secret@host/db",
        "secret",
        "postgresql://u:secret@host:port/db",
    ],
)
def test_an_address_of_none_of_ours_is_refused_without_its_password(url: str) -> None:
    """The line says which addresses there are."""
    with pytest.raises(RegistryUnavailableError) as error:
        Database(url)
    assert "secret" not in error.value.detail
    assert "\n" not in error.value.detail


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\x00" + bytes(500)]
)
def test_a_damaged_file_is_one_line_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is named, and not changed."""
    path = tmp_path / "registry.sqlite3"
    path.write_bytes(content)
    with pytest.raises(RegistryUnavailableError) as error:
        Database(f"sqlite:///{path}").migrate()
    assert str(path) in error.value.detail
    assert "\n" not in error.value.detail
    assert path.read_bytes() == content


def test_damaged_pages_are_one_line(tmp_path: Path) -> None:
    """A database with overwritten pages is no traceback."""
    path = tmp_path / "registry.sqlite3"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    with database.writing() as connection:
        add(connection, *(f"{number}.0" for number in range(200)))
    database.close()
    with closing(sqlite3.connect(path)) as checkpointed:
        checkpointed.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    with (
        pytest.raises(RegistryUnavailableError) as error,
        Database(f"sqlite:///{path}").writing() as connection,
    ):
        add(connection, "1.0")
    assert "\n" not in error.value.detail


def test_a_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    """A place where no file can be is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryUnavailableError, match=r"registry\.sqlite3 cannot be used"):
        Database(f"sqlite:///{tmp_path / 'file' / 'registry.sqlite3'}").migrate()


def test_a_server_that_is_not_there_is_one_line() -> None:
    """The line names host and database, but not the password."""
    database = Database("postgresql://me:secret@127.0.0.1:1/segserve")
    with pytest.raises(RegistryUnavailableError, match=r"segserve on 127\.0\.0\.1") as error:
        database.migrate()
    assert "secret" not in error.value.detail
    assert "\n" not in error.value.detail


def test_a_database_that_is_locked_for_long_is_one_line(tmp_path: Path) -> None:
    """A gateway waits a limited time for a SQLite lock that another program holds."""
    path = tmp_path / "registry.sqlite3"
    database = Database(f"sqlite:///{path}", patience_s=0.1)
    database.migrate()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(RegistryUnavailableError, match="locked"),
            database.writing() as connection,
        ):
            add(connection, "1.0")
        assert database.generation() == 0
    with database.writing() as connection:
        add(connection, "1.0")
    assert database.generation() == 1
