"""Backup and restore, between both databases and while they are written to."""

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import ConflictError, RegistryUnavailableError
from gateway.registry import audit, models, nodes, policies, versions
from gateway.registry.backup import sealed_file
from gateway.registry.backup.backup import backup, restore
from gateway.registry.database import Database
from gateway.registry.measurements import evaluations, shadow_hours
from gateway.registry.records import (
    STABLE,
    EvaluationRecord,
    NodeRecord,
    Placement,
    ShadowHour,
)
from gateway.registry.storage.tables import METADATA, evaluation
from tests.postgres import Postgres
from tests.unit.gateway.registry.conftest import BOSS, MODEL, POSTGRESQL, add

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def fill(connection: Connection) -> None:
    """Put a row into most tables."""
    add(connection, "1.0", "2.0")
    policies.set_alias(connection, MODEL, STABLE, "1.0", BOSS)
    policies.place(connection, Placement(MODEL, "1.0", "*", 2), BOSS)
    policies.set_traffic(connection, MODEL, BOSS, limits={"error_rate": 0.01, "ä": [1, None]})
    nodes.heard(connection, NodeRecord("one", "http://one:8080", NOW, {"free": 1}))
    evaluations.add(
        connection, EvaluationRecord(MODEL, "1.0", "d" * 64, "voc", {"miou": 0.7}, NOW, "boss")
    )
    shadow_hours.add(connection, ShadowHour(MODEL, "1.0", "2.0", NOW, 3, classes={15: (1, 2)}))


def rows(database: Database) -> dict[str, list[dict[str, object]]]:
    """Every row of every table but state's generation and models' etags, which a restore raises."""
    with database.reading() as connection:
        return {
            table.name: [
                {name: value for name, value in row.items() if name != "etag"}
                for row in connection.execute(
                    sa.select(table).order_by(*table.primary_key)
                ).mappings()
            ]
            for table in METADATA.sorted_tables
            if table.name != "state"
        }


@pytest.fixture(params=["sqlite", POSTGRESQL])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of each kind, into which is restored; without tables."""
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'other' / 'registry.sqlite3'}")
    server: Postgres = request.getfixturevalue("postgres")
    return Database(server.create_database())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The place of a backup."""
    return tmp_path / "monday.backup"


def test_a_backup_fits_every_database(database: Database, other: Database, file: Path) -> None:
    """From SQLite and PostgreSQL into both, but for the nodes; then new rows have new ids."""
    with database.writing() as connection:
        fill(connection)
    counts = backup(database, file)
    assert (counts["version"], counts["audit"], counts["key"]) == (2, 6, 0)
    done = restore(other, file)
    assert set(done.replaced.values()) == {0}
    before, after = rows(database), rows(other)
    assert (len(before.pop("node")), after.pop("node")) == (1, [])
    entry = after["audit"].pop()
    assert (entry["action"], entry["actor"]) == ("restore", "command")
    assert after == before
    with other.writing() as connection:
        fresh = EvaluationRecord(MODEL, "1.0", "e" * 64, "voc", {}, NOW, "boss")
        assert evaluations.add(connection, fresh).id == 2
        audit.append(connection, BOSS, "test", None, "subject")
        assert len({each.id for each in audit.entries(connection)}) == 9


def test_a_restore_leaves_what_nodes_report(database: Database, file: Path) -> None:
    """What a node reported before the backup is no longer true of it."""
    with database.writing() as connection:
        fill(connection)
    backup(database, file)
    newer = NodeRecord("one", "http://one:8080", NOW, {"free": 2})
    with database.writing() as connection:
        nodes.heard(connection, newer)
    restore(database, file, force=True)
    with database.reading() as connection:
        assert nodes.listed(connection) == [newer]


def test_the_file_is_one_private_whole_file(database: Database, file: Path) -> None:
    """Nothing is left beside it; it has the mode 0600, as it has the digests of keys."""
    backup(database, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir() if each.name != "state"] == [file.name]
    assert sealed_file.check(file).startswith(str(datetime.now(UTC).year))


def test_a_backup_replaces_a_file_only_by_force(database: Database, file: Path) -> None:
    """The last backup is not lost by a mistyped name."""
    file.write_text("precious")
    with pytest.raises(ConflictError, match="exists already"):
        backup(database, file)
    assert file.read_text() == "precious"
    backup(database, file, force=True)
    sealed_file.check(file)


def test_a_restore_replaces_data_only_by_force(database: Database, file: Path) -> None:
    """It says what there is, and changes nothing; forced, it replaces all of it."""
    with database.writing() as connection:
        fill(connection)
    backup(database, file)
    saved = rows(database)
    with database.writing() as connection:
        add(connection, "3.0")
        policies.promote(connection, MODEL, "3.0", BOSS)
        seen = models.etag(connection, MODEL)
    changed, generation = rows(database), database.generation()
    with pytest.raises(ConflictError, match="version 3"):
        restore(database, file)
    assert (rows(database), database.generation()) == (changed, generation)
    done = restore(database, file, force=True)
    assert (done.replaced["version"], done.rows["version"]) == (3, 2)
    restored = rows(database)
    restored["audit"].pop()
    assert restored == saved
    # Gateways and pages that know the replaced state notice.
    assert database.generation() > generation
    with database.reading() as connection:
        assert models.etag(connection, MODEL) > seen


def test_a_backup_is_one_moment_while_writers_go_on(database: Database, file: Path) -> None:
    """Each transaction adds an audit entry and an evaluation: the backup has as many of both."""
    with database.writing() as connection:
        add(connection, "1.0")
    stop = threading.Event()
    written = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            with database.writing() as connection:
                record = EvaluationRecord(MODEL, "1.0", "d" * 64, f"data {number}", {}, NOW, "boss")
                evaluations.add(connection, record)
            number += 1
            written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(30)
        counts = [backup(database, file, force=True) for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    assert all(each["audit"] == each["evaluation"] + 1 for each in counts)
    assert counts[-1]["evaluation"] > 0


@pytest.mark.parametrize("content", [b"", b"junk" * 100, b"SQLite format 3\x00" + bytes(5000)])
def test_a_file_that_is_no_backup_is_refused(
    database: Database, file: Path, content: bytes
) -> None:
    """One line, and the database is as it was."""
    file.write_bytes(content)
    with pytest.raises(ConflictError, match="backup") as error:
        restore(database, file, force=True)
    assert "\n" not in error.value.detail
    assert database.generation() == 0


def test_a_damaged_backup_is_refused(tmp_path: Path, file: Path) -> None:
    """Truncated, or with a changed byte anywhere that has a meaning."""
    database = Database(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
    database.migrate()
    with database.writing() as connection:
        fill(connection)
    backup(database, file)
    whole = file.read_bytes()
    before = rows(database)
    for place in [whole.index(text) for text in (b"error_rate", b"2026-11-29", b"aaaaaaaa")]:
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ConflictError, match="damaged"):
            restore(database, file, force=True)
    for length in range(0, len(whole), 4096):
        file.write_bytes(whole[:length])
        with pytest.raises(ConflictError):
            restore(database, file, force=True)
    assert rows(database) == before


def test_a_backup_of_a_newer_version_is_refused(database: Database, file: Path) -> None:
    """The line names both schemas."""
    backup(database, file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("DROP TABLE seal")
        connection.commit()
    sealed_file.seal(file)
    with pytest.raises(ConflictError, match="newer version of Segserve: it has the schema 9999"):
        restore(database, file, force=True)


def test_without_a_database_there_is_no_backup(tmp_path: Path, file: Path) -> None:
    """A wrong folder is an error, not an empty backup."""
    missing = tmp_path / "registry.sqlite3"
    with pytest.raises(ConflictError, match="no database"):
        backup(Database(f"sqlite:///{missing}"), file)
    assert not missing.exists()
    sqlite3.connect(missing).execute("CREATE TABLE other (id)")
    with pytest.raises(RegistryUnavailableError, match="no tables"):
        backup(Database(f"sqlite:///{missing}"), file)
    assert not file.exists()


def test_a_place_that_cannot_be_written_is_one_line(database: Database, tmp_path: Path) -> None:
    """A folder that is not there."""
    with pytest.raises(ConflictError, match="cannot be written: No such file"):
        backup(database, tmp_path / "nowhere" / "monday.backup")


def test_a_restore_that_fails_changes_nothing(
    database: Database, tmp_path: Path, file: Path
) -> None:
    """One transaction: a row that the database refuses brings everything back."""
    with database.writing() as connection:
        fill(connection)
    backup(database, file)
    with closing(sqlite3.connect(file)) as connection_to_file:
        connection_to_file.execute("UPDATE evaluation SET version = 'none'")
        connection_to_file.execute("DROP TABLE seal")
        connection_to_file.commit()
    sealed_file.seal(file)
    before, generation = rows(database), database.generation()
    with pytest.raises(Exception, match="rule of the database"):
        restore(database, file, force=True)
    assert (rows(database), database.generation()) == (before, generation)


def test_many_rows_are_copied_block_by_block(database: Database, file: Path) -> None:
    """More rows than a block has."""
    with database.writing() as connection:
        add(connection, "1.0")
        fields = {"model": MODEL, "version": "1.0", "data_digest": "d" * 64, "data_name": "voc"}
        fields |= {"created_by": "boss"}
        connection.execute(
            evaluation.insert(),
            [{**fields, "figures": {"miou": number}, "created_at": NOW} for number in range(1201)],
        )
    backup(database, file)
    restore(database, file, force=True)
    with database.reading() as connection:
        kept = evaluations.listed(connection, MODEL, limit=5000)
        assert versions.get(connection, MODEL, "1.0").created_by == "boss"
    assert [each.figures["miou"] for each in kept] == list(reversed(range(1201)))
