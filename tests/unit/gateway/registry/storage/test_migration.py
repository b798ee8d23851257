"""Migrations: whole or not at all, however often they are interrupted."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event

from gateway.errors import RegistryUnavailableError
from gateway.registry.database import Database
from gateway.registry.storage import migration, tables
from gateway.registry.storage.tables import METADATA
from tests.child_process import run_in_child
from tests.unit.gateway.registry.conftest import add

# More than the statements of all migrations.
_MOST_STATEMENTS = 500


def test_the_code_knows_the_revisions_without_alembic() -> None:
    """The list of the revisions is that of the files, in their order."""
    config = Config()
    config.set_main_option("script_location", str(Path(migration.__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(revisions)) == migration.REVISIONS


def test_the_migrations_create_the_tables_of_the_code(database: Database) -> None:
    """Alembic finds no difference between the database and the tables."""
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []


def test_a_new_database_is_what_the_migrations_make(database: Database) -> None:
    """It is created at once, as Alembic costs 12 MB; later migrations find what they expect."""
    database.downgrade("base")
    found = []
    for create in (migration.create, lambda each: migration.run(each, "upgrade", migration.HEAD)):
        with database._migrating() as connection:
            create(connection)
            inspector = sa.inspect(connection)
            found.append(
                {
                    table: [
                        [repr(each) for each in inspector.get_columns(table)],
                        inspector.get_pk_constraint(table),
                        sorted(map(repr, inspector.get_foreign_keys(table))),
                        sorted(map(repr, inspector.get_indexes(table))),
                        sorted(map(repr, inspector.get_unique_constraints(table))),
                    ]
                    for table in inspector.get_table_names()
                }
            )
            assert migration.revision(connection) == migration.HEAD
            assert connection.execute(sa.select(tables.state)).all() == [(1, 0)]
        database.downgrade("base")
    assert len(found[0]) == 12
    assert found[0] == found[1]


def test_tables_go_and_come_back(database: Database) -> None:
    """The way back leaves nothing but Alembic's own table; then the way there works again."""
    with database.writing() as connection:
        add(connection, "1.0")
    database.downgrade("base")
    with database.reading() as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    with pytest.raises(RegistryUnavailableError) as error:
        database.generation()
    assert "\n" not in error.value.detail
    database.migrate()
    assert database.generation() == 0


def test_without_a_change_nothing_is_done(database: Database) -> None:
    """A start on current tables keeps the data, and does not import Alembic's commands."""
    with database.writing() as connection:
        add(connection, "1.0")
    database.migrate()
    assert database.generation() == 1


@pytest.mark.slow
def test_a_start_on_current_tables_does_without_alembic(database: Database, url: str) -> None:
    """Alembic's memory and time are spent only where tables change."""
    assert database.generation() == 0
    code = (
        "import sys; from gateway.registry.database import Database\n"
        "Database(sys.argv[1]).migrate(); print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", code, url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_newer_schema_is_one_line_and_stays(database: Database, url: str) -> None:
    """Code that is older than the database does not touch it."""
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RegistryUnavailableError, match="newer version of Segserve") as error:
        Database(url).migrate()
    assert "\n" not in error.value.detail
    assert database.generation() == 1


def test_threads_that_migrate_at_once_do_it_once(url: str) -> None:
    """All of many gateways that start at once find the tables."""

    def start(_: int) -> int:
        database = Database(url)
        database.migrate()
        generation = database.generation()
        database.close()
        return generation

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(start, range(6))) == [0] * 6


@pytest.mark.slow
def test_processes_that_migrate_at_once_do_it_once(url: str) -> None:
    """Two gateways of two containers start at once on an empty database."""
    assert run_in_child(_migrate_in_two_processes, url) == [0, 0]
    assert Database(url).generation() == 0


def _migrate_in_two_processes(url: str) -> list[int]:
    processes = [_forked(lambda: Database(url).migrate()) for _ in range(2)]
    return [_status(process) for process in processes]


@pytest.mark.slow
def test_a_migration_killed_at_any_statement_is_done_by_the_next_start(url: str) -> None:
    """SIGKILL before each statement, one after the other, of one database: nothing is half-done."""
    killed, left = run_in_child(_kill_at_each_statement, url, "upgrade")
    assert killed > len(METADATA.tables)
    assert set(left) == {"no tables"}
    database = Database(url)
    assert database.generation() == 0
    with database.writing() as connection:
        add(connection, "1.0")


@pytest.mark.slow
def test_the_way_back_killed_at_any_statement_loses_nothing(database: Database, url: str) -> None:
    """SIGKILL before each statement of a down-migration leaves all tables, with their rows."""
    with database.writing() as connection:
        add(connection, "1.0")
    database.close()
    killed, left = run_in_child(_kill_at_each_statement, url, "downgrade")
    assert killed > len(METADATA.tables)
    assert set(left) == {"generation 1"}
    database.migrate()
    assert database.generation() == 0


def _kill_at_each_statement(url: str, direction: str) -> tuple[int, list[str]]:
    """The number of statements before which it was killed, and what each left."""
    if direction == "upgrade":
        migration.upgrade(sa.create_engine("sqlite://").connect())  # imports once, for all forks
    left: list[str] = []
    for statement in range(_MOST_STATEMENTS):
        run: Callable[[Database], None] = Database.migrate
        if direction == "downgrade":
            run = _downgrade
        status = _status(_forked(partial(_killed_at, url, statement, run)))
        if status == 0:
            return statement, left
        assert status == -signal.SIGKILL
        left.append(_state(url))
    raise AssertionError("the migration has no end")


def _downgrade(database: Database) -> None:
    database.downgrade("base")


def _killed_at(url: str, number: int, run: Callable[[Database], None]) -> None:
    """Let this process die before a statement, or at the last one's commit."""
    database = Database(url)
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

    event.listen(database.engine, "before_cursor_execute", count)
    event.listen(database.engine, "commit", count)
    run(database)


def _state(url: str) -> str:
    database = Database(url)
    try:
        return f"generation {database.generation()}"
    except RegistryUnavailableError:
        with database.reading() as connection:
            tables = sa.inspect(connection).get_table_names()
        return str(tables) if tables else "no tables"
    finally:
        database.close()


def _forked(function: Callable[[], None]) -> int:
    """Run a function in a fork of this process; return its id."""
    process = os.fork()
    if process == 0:
        try:
            function()
        except BaseException:  # noqa: BLE001  # the fork must not go on as its parent
            os._exit(1)
        os._exit(0)
    return process


def _status(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
