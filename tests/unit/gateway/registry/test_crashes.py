"""What a killed writer, a full disk and a folder that is read-only leave behind."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.errors import RegistryUnavailableError
from gateway.registry import audit
from gateway.registry.database import Database
from gateway.registry.records import Change
from tests.child_process import run_in_child, run_with_file_size_limit
from tests.unit.gateway.registry.conftest import BOSS

pytestmark = pytest.mark.slow

_ROUNDS = 30
# Writes one audit entry after the other, in four threads; prints each one's name when it is kept.
_WRITER = """
import sys, threading
from gateway.registry import audit
from gateway.registry.database import Database
from gateway.registry.records import Change
database = Database(sys.argv[1])
def write(thread):
    for number in range(10**6):
        with database.writing() as connection:
            name = f"{sys.argv[2]}-{thread}-{number}"
            audit.append(connection, Change("writer"), "test", None, name)
        sys.stdout.write(name + "\\n")
        sys.stdout.flush()
for thread in range(4):
    threading.Thread(target=write, args=(thread,)).start()
"""


def subjects(database: Database) -> list[str]:
    """The names of all entries that are there, the oldest first."""
    with database.reading() as connection:
        return [entry.subject for entry in audit.entries(connection, limit=10**6)][::-1]


def settled(database: Database) -> tuple[int, list[str]]:
    """The generation and all entries, once PostgreSQL has committed what was sent to it."""
    while True:
        generation = database.generation()
        kept = subjects(database)
        if database.generation() == generation:
            return generation, kept


def test_what_was_acknowledged_is_there_after_the_writer_was_killed(
    database: Database, url: str
) -> None:
    """SIGKILL at a random moment, again and again; the next writer goes on at once."""
    chance = random.Random(20)  # noqa: S311  # no secret
    acknowledged: set[str] = set()
    for each in range(_ROUNDS):
        command = [sys.executable, "-c", _WRITER, url, str(each)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.15))
        writer.kill()
        rest = writer.stdout.read()
        # Its last line may be cut off: then it was not read as an acknowledgement either.
        acknowledged |= {line for line in (first + rest).split("\n")[:-1] if line}
        assert writer.wait(30) == -signal.SIGKILL
        generation, kept = settled(database)
        assert acknowledged <= set(kept)
        assert len(kept) == len(set(kept)) == generation
    assert len(acknowledged) >= _ROUNDS


def _write(url: str, name: str, number: int) -> None:
    database = Database(url)
    for each in range(number):
        with database.writing() as connection:
            audit.append(connection, Change(name), "test", None, f"{name}-{each}")
    database.close()


def _write_in_threads(url: str, name: str, threads: int, number: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda each: _write(url, f"{name}-{each}", number), range(threads)))


def test_processes_and_threads_that_write_at_once_lose_nothing(
    database: Database, url: str
) -> None:
    """Three processes with eight threads each, as gateways and commands."""
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=_write_in_threads, args=(url, str(each), 8, 10)) for each in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    kept = subjects(database)
    assert len(kept) == len(set(kept)) == 3 * 8 * 10 == database.generation()


def _fill(url: str) -> tuple[int, str]:
    """Write until the disk is full; the number of acknowledged entries, and the error."""
    database = Database(url)
    for number in range(10**5):
        try:
            with database.writing() as connection:
                audit.append(connection, Change("writer", "x" * 900), "test", None, str(number))
        except RegistryUnavailableError as exc:
            return number, exc.detail
    raise AssertionError("the disk was never full")


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    """What was acknowledged is there; with space again it goes on."""
    url = f"sqlite:///{tmp_path / 'registry.sqlite3'}"
    database = Database(url)
    database.migrate()
    acknowledged, line = run_with_file_size_limit(600_000, _fill, url)
    assert acknowledged > 10
    assert "registry.sqlite3 cannot be used" in line
    assert "\n" not in line
    assert subjects(database) == [str(number) for number in range(acknowledged)]
    with database.writing() as connection:
        audit.append(connection, BOSS, "test", None, "after")
    assert database.generation() == acknowledged + 1


def test_a_disk_that_is_full_at_the_start_is_one_line(tmp_path: Path) -> None:
    """The migration fails as a whole; with space it is done."""
    url = f"sqlite:///{tmp_path / 'registry.sqlite3'}"
    line = run_with_file_size_limit(20_000, _start, url)
    assert "registry.sqlite3 cannot be used" in line
    assert "\n" not in line
    database = Database(url)
    database.migrate()
    assert database.generation() == 0


def _start(url: str) -> str:
    try:
        Database(url).migrate()
    except RegistryUnavailableError as exc:
        return exc.detail
    return "started"


def _start_and_write_as_another_user(url: str) -> tuple[str, str]:
    """The line of a start, and that of a change, by a user that root's rights do not help."""
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try:
        with Database(url).writing() as connection:
            audit.append(connection, BOSS, "test", None, "subject")
    except RegistryUnavailableError as exc:
        return _start(url), exc.detail
    return _start(url), "written"


def test_a_folder_that_is_read_only_is_one_line(tmp_path: Path) -> None:
    """Neither a start nor a change is a traceback; the database is as it was."""
    for parent in list(tmp_path.parents)[:2]:
        parent.chmod(0o755)
    tmp_path.chmod(0o755)
    missing = tmp_path / "empty"
    missing.mkdir(mode=0o555)
    url = f"sqlite:///{missing / 'registry.sqlite3'}"
    lines = run_in_child(_start_and_write_as_another_user, url)
    for line in lines:
        assert "registry.sqlite3 cannot be used" in line
        assert "\n" not in line
    folder = tmp_path / "full"
    url = f"sqlite:///{folder / 'registry.sqlite3'}"
    database = Database(url)
    database.migrate()
    database.close()
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    lines = run_in_child(_start_and_write_as_another_user, url)
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o600)
    for line in lines:
        assert "registry.sqlite3 cannot be used" in line
        assert "\n" not in line
    assert Database(url).generation() == 0


def _read_and_close(url: str) -> int:
    """What a command does: open the database, read, and end."""
    database = Database(url)
    generation = database.generation()
    database.close()
    return generation


def test_a_second_migration_leaves_the_locks_of_open_connections(tmp_path: Path) -> None:
    """A gateway has an open connection, and looks at the schema again: the log is not deleted.

    A process that closed the file would lose its locks on it, and the next one to end would take
    itself for the last, and remove the write-ahead log that the gateway is using.
    """
    database = Database(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
    database.migrate()
    with database.writing() as connection:
        audit.append(connection, BOSS, "test", None, "subject")
    log = tmp_path / "registry.sqlite3-wal"
    assert log.exists()
    database.migrate()
    assert run_in_child(_read_and_close, f"sqlite:///{tmp_path / 'registry.sqlite3'}") == 1
    assert log.exists()
    with database.writing() as connection:
        audit.append(connection, BOSS, "test", None, "subject")
    database.close()
    assert not log.exists()
