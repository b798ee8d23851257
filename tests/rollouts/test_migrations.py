"""A gateway that is killed while it migrates leaves the former tables or the new ones."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import sqlalchemy as sa

from gateway.registry.database import Database
from gateway.registry.storage.migration import HEAD, REVISIONS, revision
from gateway.registry.storage.tables import METADATA
from scripts.launch.processes import end_with_parent
from tests.rollouts.product import until
from tests.stack import ROOT, free_ports

DELAYS_MS = (0, 5, 10, 20, 40, 80, 160, 320)
FORMER = REVISIONS[-2] if len(REVISIONS) > 1 else "base"
OURS = {*METADATA.tables, "alembic_version"}


def test_a_killed_migration_is_whole(database: str | None, tmp_path: Path) -> None:
    """Of a fresh database and of one of the former revision; the next start serves."""
    file = tmp_path / "data" / "registry.sqlite3"
    registry = Database(database or f"sqlite:///{file}")
    is_migrating = _in_postgresql(database) if database else _in_sqlite(file)
    interrupted = 0
    for number, delay_ms in enumerate(DELAYS_MS):
        if number and revision_of(registry) == HEAD:
            registry.downgrade(FORMER)
        if not database:
            file.with_name(f"{file.name}.lock").unlink(missing_ok=True)
        process, _ = _start(tmp_path, database)
        until(is_migrating, "the migration", every_s=0.0005)
        time.sleep(delay_ms / 1000)
        process.kill()
        process.wait(30)
        tables = tables_of(registry)
        interrupted += revision_of(registry) != HEAD
        assert tables & OURS in (set(), {"alembic_version"}, OURS), delay_ms
        assert (tables >= OURS) == (revision_of(registry) == HEAD), delay_ms
    assert interrupted, "no migration was interrupted"
    process, url = _start(tmp_path, database)
    try:
        until(lambda: _answers(url), "the gateway")
        assert revision_of(registry) == HEAD
    finally:
        process.terminate()
        process.wait(30)


def revision_of(registry: Database) -> str | None:
    """The revision of the tables."""
    with registry.reading() as connection:
        return revision(connection)


def tables_of(registry: Database) -> set[str]:
    """The names of the tables."""
    with registry.reading() as connection:
        return set(sa.inspect(connection).get_table_names())


def _in_sqlite(file: Path) -> Callable[[], bool]:
    return file.with_name(f"{file.name}.lock").exists


def _in_postgresql(database: str) -> Callable[[], bool]:
    watching = psycopg.connect(database, autocommit=True)
    locks = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
    return lambda: watching.execute(locks).fetchone() is not None


def _start(folder: Path, database: str | None) -> tuple[subprocess.Popen[bytes], str]:
    (port,) = free_ports(1)
    own = {
        "SEGSERVE_GATEWAY_PORT": str(port),
        "SEGSERVE_GATEWAY_DATA_DIR": str(folder / "data"),
        "SEGSERVE_GATEWAY_DATABASE_URL": database or "",
    }
    with (folder / "gateway.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway"],
            cwd=ROOT,
            env={**os.environ, **own},
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent,  # tests that are killed leave nothing behind
        )
    return process, f"http://127.0.0.1:{port}"


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5.0, trust_env=False).is_success
    except httpx.TransportError:
        return False
