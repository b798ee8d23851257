"""The follower: at most a moment behind, and never in the way."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator

import pytest

from gateway.errors import RegistryUnavailableError
from gateway.registry.database import Database
from gateway.registry.follower import Follower
from tests.postgres import Postgres, running
from tests.unit.gateway.registry.conftest import MODEL, add

pytestmark = pytest.mark.anyio


async def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether a condition becomes true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.01)
    return condition()


def add_version(url: str, name: str) -> None:
    """A change by another gateway."""
    other = Database(url)
    with other.writing() as connection:
        add(connection, name)
    other.close()


async def test_a_change_by_another_gateway_is_followed(database: Database, url: str) -> None:
    """Within the time of a look at the database."""
    follower = Follower(database, poll_s=0.05)
    assert follower.snapshot.generation == -1
    assert not follower.is_fresh
    async with follower.following():
        assert await within(5, lambda: follower.snapshot.generation == 0)
        assert follower.is_fresh
        await asyncio.to_thread(add_version, url, "1.0")
        assert await within(5, lambda: MODEL in follower.snapshot.models)


async def test_an_own_change_is_followed_at_once(database: Database) -> None:
    """Without waiting for the next look."""
    follower = Follower(database, poll_s=60)
    await follower.refresh()
    with database.writing() as connection:
        add(connection, "1.0")
    await follower.refresh()
    assert list(follower.snapshot.models[MODEL].versions) == ["1.0"]


async def test_without_a_database_a_refresh_is_an_error(database: Database) -> None:
    """After an own write it is reported; the snapshot stays."""
    follower = Follower(database)
    await follower.refresh()
    database.downgrade("base")
    with pytest.raises(RegistryUnavailableError):
        await follower.refresh()
    assert follower.snapshot.generation == 0


async def test_a_database_that_is_away_is_one_line(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Many looks fail, the last known snapshot stays, and one line says so; another, it is back."""
    with database.writing() as connection:
        add(connection, "1.0")
    follower = Follower(database, poll_s=0.02)
    with caplog.at_level(logging.WARNING, "gateway.registry"):
        async with follower.following():
            assert await within(5, lambda: MODEL in follower.snapshot.models)
            database.downgrade("base")
            assert await within(10, lambda: not follower.is_fresh)
            assert await within(5, lambda: len(caplog.records) == 1)
            await asyncio.sleep(0.2)
            assert len(caplog.records) == 1
            assert "last known state" in caplog.messages[0]
            assert MODEL in follower.snapshot.models
            database.migrate()
            assert await within(5, lambda: follower.is_fresh)
            assert await within(5, lambda: "back" in caplog.messages[-1])
            assert await within(5, lambda: follower.snapshot.generation == 0)


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """A server that a test may stop."""
    with running() as server:
        yield server


@pytest.mark.postgres
@pytest.mark.parametrize("way", ["stopped", "frozen"])
async def test_a_server_that_is_away_blocks_nothing_and_is_followed_when_it_is_back(
    own_server: Postgres, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Stopped, or silent as behind a dead network: the event loop goes on as if nothing were."""
    url = own_server.create_database()
    database = Database(url)
    database.migrate()
    follower = Follower(database)
    with caplog.at_level(logging.WARNING, "gateway.registry"):
        async with follower.following():
            assert await within(5, lambda: follower.is_fresh)
            if way == "stopped":
                await asyncio.to_thread(own_server.stop)
                await _responsive(4)
                await asyncio.to_thread(own_server.start)
            else:
                with own_server.frozen():
                    await _responsive(4)
            assert len(caplog.records) == 1
            back = time.monotonic()
            assert await within(5, lambda: follower.is_fresh)
            assert time.monotonic() - back < 2  # a second, and what a slow machine adds
            await asyncio.to_thread(add_version, url, "1.0")
            assert await within(5, lambda: MODEL in follower.snapshot.models)
    database.close()


async def _responsive(seconds: float) -> None:
    """Let time pass, in which the event loop is never held up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        await asyncio.sleep(0.01)
        assert time.monotonic() - began < 1
