"""The key cache."""

import asyncio
import logging
import os
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gateway.keys.cache import KeyCache
from gateway.keys.store import KeyStore
from gateway.registry.database import Database
from tests.key_store import key_store
from tests.postgres import Postgres

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """A store without keys."""
    return key_store(tmp_path)


async def test_a_key_is_found_by_id_and_secret(store: KeyStore) -> None:
    """A key is identified among several."""
    store.add("one", "user")
    key, presented = store.add("two", "admin")
    assert await KeyCache(store).find(presented) == key


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key[:-1] + ("0" if key[-1] != "0" else "1"),
        lambda key: key[:-1],
        lambda key: key + "0",
        lambda key: "xyz" + key[3:],
        lambda key: key.upper(),
        lambda key: key.rpartition("_")[2],
        lambda key: f"sgs__{key.rpartition('_')[2]}",
        lambda key: f"sgs_{'0' * 12}_{'0' * 64}",
        lambda _: "",
        lambda _: "sgs",
        lambda _: "\u00fc\u00f1\u00ef",
    ],
)
async def test_anything_else_is_not_found(store: KeyStore, change: Any) -> None:
    """A string that differs from a key in any way is not accepted."""
    _, presented = store.add("app", "user")
    assert await KeyCache(store).find(change(presented)) is None


async def test_a_secret_opens_only_its_own_id(store: KeyStore) -> None:
    """The secret of one key with the id of another is not accepted."""
    (first, presented), (second, _) = store.add("one", "user"), store.add("two", "admin")
    assert await KeyCache(store).find(presented.replace(first.id, second.id)) is None


async def test_changes_count_without_a_restart(
    store: KeyStore,
) -> None:
    """Added and revoked keys count as soon as the cache is stale."""
    cache = KeyCache(store, ttl_s=0)
    key, presented = store.add("app", "user")
    assert await cache.find(presented) == key
    store.revoke(key.id)
    assert await cache.find(presented) is None


async def test_the_file_is_not_read_for_every_request(
    store: KeyStore,
) -> None:
    """Within its TTL the cache is reloaded only on demand."""
    cache = KeyCache(store, ttl_s=60)
    await cache.find("")
    key, presented = store.add("app", "user")
    assert await cache.find(presented) is None
    await cache.reload()
    assert await cache.find(presented) == key


async def test_after_an_idle_hour_no_request_uses_stale_keys(store: KeyStore) -> None:
    """If the cache is stale, concurrent requests wait for one reload."""
    key, presented = store.add("app", "user")
    cache = KeyCache(store, ttl_s=0)
    store.revoke(key.id)
    results = await asyncio.gather(*[cache.find(presented) for _ in range(20)])
    assert results == [None] * 20


async def test_a_database_that_is_away_leaves_the_known_keys_valid(
    store: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The known keys stay valid, with one warning a minute; when it is back, it counts again."""
    key, presented = store.add("app", "user")
    cache = KeyCache(store, ttl_s=0)
    store.database.downgrade("base")
    with caplog.at_level(logging.WARNING):
        assert [await cache.find(presented) for _ in range(3)] == [key] * 3
    assert len(caplog.records) == 1
    store.database.migrate()
    for name in ("another", "third"):
        store.add(name, "user")
    await cache.reload()
    assert await cache.find(presented) is None


async def test_a_database_that_hangs_holds_no_request_up(store: KeyStore, tmp_path: Path) -> None:
    """After an idle time one waits for a moment; then all go on with the known keys."""
    key, presented = store.add("app", "user")
    cache = KeyCache(store)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    hanging = _HangingStore(store, fifo)
    cache = KeyCache(hanging, ttl_s=0)
    hanging.hangs = True
    seconds = []
    for _ in range(20):
        began = time.monotonic()
        assert await cache.find(presented) == key
        seconds.append(time.monotonic() - began)
    with fifo.open("w"):  # the database answers
        await cache.reload()
    # As ratios: a slow machine is slow in all of them.
    assert sum(seconds[1:]) < seconds[0]


class _HangingStore(KeyStore):
    """A store whose database does not answer until its fifo is opened."""

    def __init__(self, store: KeyStore, fifo: Path) -> None:
        super().__init__(store.database)
        self.hangs = False
        self._fifo = fifo

    def stamp(self) -> int:
        """Wait for the fifo, once."""
        if self.hangs:
            self.hangs = False
            self._fifo.open().close()
        return super().stamp()


def _calls(cache: KeyCache, presented: str) -> list[str]:
    """Every function, of Python or C, that a lookup calls."""
    calls: list[str] = []

    def note(frame: FrameType, event: str, called: Any) -> None:
        if event == "call":
            calls.append(frame.f_code.co_qualname)
        elif event == "c_call":
            calls.append(called.__qualname__)

    sys.setprofile(note)
    try:
        key = cache.match(presented)
    finally:
        sys.setprofile(None)
    assert key is None
    return calls


def test_a_wrong_key_takes_the_same_steps_whatever_is_wrong(store: KeyStore) -> None:
    """A refusal does not reveal which ids exist: both cases hash and compare in constant time."""
    _, presented = store.add("app", "user")
    cache = KeyCache(store)
    wrong_secret = _calls(cache, presented[:-1] + "x")
    unknown_id = _calls(cache, f"sgs_{'f' * 12}_{presented[-64:-1]}x")
    assert wrong_secret == unknown_id
    assert wrong_secret.count("compare_digest") == 1


@pytest.mark.postgres
async def test_a_server_that_was_stopped_leaves_the_known_keys_valid(postgres: Postgres) -> None:
    """Keys on PostgreSQL: added, revoked, and known on while the server is away."""
    database = Database(postgres.create_database())
    database.migrate()
    store = KeyStore(database)
    (first, one), (second, two) = store.add("one", "user"), store.add("two", "admin")
    cache = KeyCache(store, ttl_s=0)
    store.revoke(first.id)
    assert [await cache.find(each) for each in (one, two)] == [None, second]
    postgres.stop()
    try:
        assert [await cache.find(each) for each in (one, two)] == [None, second]
    finally:
        postgres.start()
    third, three = store.add("three", "user")
    await cache.reload()
    assert await cache.find(three) == third
    assert store.read() == [second, third]
    database.close()
