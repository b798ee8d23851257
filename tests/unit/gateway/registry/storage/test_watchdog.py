"""The watchdog of PostgreSQL's connections."""

import threading
import time

import pytest

from gateway.errors import RegistryUnavailableError
from gateway.registry.database import Database
from gateway.registry.storage import watchdog
from tests.postgres import Postgres, running

pytestmark = pytest.mark.postgres


def test_a_thread_does_not_wait_for_a_frozen_server_for_ever() -> None:
    """Its call fails with one line; when the server is back, the next one succeeds."""
    with running() as server:
        database = Database(server.create_database(), patience_s=0.1)
        database.migrate()
        failures: list[str] = []

        def ask() -> None:
            try:
                database.generation()
            except RegistryUnavailableError as exc:
                failures.append(exc.detail)

        with server.frozen():
            thread = threading.Thread(target=ask, daemon=True)
            thread.start()
            thread.join(30)
            assert not thread.is_alive()
        (line,) = failures
        assert "cannot be used" in line
        assert "\n" not in line
        assert database.generation() == 0
        database.close()


def test_a_connection_that_is_used_for_long_on_purpose_is_left_alone(postgres: Postgres) -> None:
    """A backup or a migration may take its time; other transactions may not."""
    database = Database(postgres.create_database(), patience_s=0.1)
    database.migrate()
    with database.reading() as connection:
        watchdog.leave_alone(connection)
        for _ in range(10):
            time.sleep(0.1)
            connection.exec_driver_sql("SELECT 1")
    cut = []
    try:
        with database.reading() as connection:
            for _ in range(10):
                time.sleep(0.1)
                connection.exec_driver_sql("SELECT 1")
    except RegistryUnavailableError as exc:
        cut.append(exc)
    assert len(cut) == 1
    assert database.generation() == 0
    database.close()


def test_no_timer_is_left(postgres: Postgres) -> None:
    """Each ends with its transaction."""
    database = Database(postgres.create_database())
    database.migrate()
    for _ in range(20):
        database.generation()
    database.close()
    end = time.monotonic() + 10
    while _timers() and time.monotonic() < end:
        time.sleep(0.01)
    assert _timers() == []


def _timers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
