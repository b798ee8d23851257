"""The key cache."""

import asyncio
import logging
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gateway.keys.cache import KeyCache
from gateway.keys.store import KeyStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """A store without keys."""
    return KeyStore(tmp_path / "keys.json")


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
    cache = KeyCache(store)
    store.revoke(key.id)
    results = await asyncio.gather(*[cache.find(presented) for _ in range(20)])
    assert results == [None] * 20


async def test_a_damaged_file_leaves_the_known_keys_valid(
    store: KeyStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A damaged file leaves the known keys valid, with one warning; a removed file revokes them."""
    key, presented = store.add("app", "user")
    cache = KeyCache(store, ttl_s=0)
    (tmp_path / "keys.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert [await cache.find(presented) for _ in range(3)] == [key] * 3
    assert len(caplog.records) == 1
    (tmp_path / "keys.json").unlink()
    assert await cache.find(presented) is None


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
