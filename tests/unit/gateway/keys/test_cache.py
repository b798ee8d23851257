"""A key counts as soon as the file has it, and no longer; a wrong one learns nothing."""

import asyncio
import logging
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gateway.keys import cache as module
from gateway.keys.cache import KeyCache
from gateway.keys.store import KeyStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(tmp_path: Path) -> KeyStore:
    """An empty file of keys."""
    return KeyStore(tmp_path / "keys.json")


async def test_a_key_is_found_by_id_and_secret(file: KeyStore) -> None:
    """The right key among several."""
    file.add("one", "user")
    key, presented = file.add("two", "admin")
    assert await KeyCache(file).find(presented) == key


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
async def test_anything_else_is_not_found(file: KeyStore, change: Any) -> None:
    """No part of a key opens anything."""
    _, presented = file.add("app", "user")
    assert await KeyCache(file).find(change(presented)) is None


async def test_a_secret_opens_only_its_own_id(file: KeyStore) -> None:
    """Two keys cannot be crossed."""
    (first, presented), (second, _) = file.add("one", "user"), file.add("two", "admin")
    assert await KeyCache(file).find(presented.replace(first.id, second.id)) is None


async def test_changes_count_without_a_restart(
    file: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added and revoked, each as soon as the file is looked at again."""
    monkeypatch.setattr(module, "_TTL_S", 0.0)
    register = KeyCache(file)
    key, presented = file.add("app", "user")
    assert await register.find(presented) == key
    file.revoke(key.id)
    assert await register.find(presented) is None


async def test_the_file_is_not_looked_at_for_every_request(
    file: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But at once when this gateway itself changed it."""
    monkeypatch.setattr(module, "_TTL_S", 60.0)
    register = KeyCache(file)
    await register.find("")
    key, presented = file.add("app", "user")
    assert await register.find(presented) is None
    await register.reload()
    assert await register.find(presented) == key


async def test_after_an_idle_hour_no_request_uses_what_was(file: KeyStore) -> None:
    """Not even those beside the one that looks."""
    key, presented = file.add("app", "user")
    register = KeyCache(file)
    file.revoke(key.id)
    found = await asyncio.gather(*[register.find(presented) for _ in range(20)])
    assert found == [None] * 20


async def test_a_damaged_file_locks_nobody_out(
    file: KeyStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was known counts on, and a warning says so, once for each change."""
    monkeypatch.setattr(module, "_TTL_S", 0.0)
    key, presented = file.add("app", "user")
    register = KeyCache(file)
    (tmp_path / "keys.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert [await register.find(presented) for _ in range(3)] == [key] * 3
    assert len(caplog.records) == 1
    (tmp_path / "keys.json").unlink()
    assert await register.find(presented) is None


def _calls(register: KeyCache, presented: str) -> list[str]:
    """Every function that answering calls, in Python and below."""
    seen: list[str] = []

    def note(frame: FrameType, event: str, called: Any) -> None:
        if event == "call":
            seen.append(frame.f_code.co_qualname)
        elif event == "c_call":
            seen.append(called.__qualname__)

    sys.setprofile(note)
    try:
        found = register.match(presented)
    finally:
        sys.setprofile(None)
    assert found is None
    return seen


def test_a_wrong_key_takes_the_same_steps_whatever_is_wrong(file: KeyStore) -> None:
    """Nobody learns which ids there are: each is hashed and compared in constant time."""
    _, presented = file.add("app", "user")
    register = KeyCache(file)
    wrong_secret = _calls(register, presented[:-1] + "x")
    unknown_id = _calls(register, f"sgs_{'f' * 12}_{presented[-64:-1]}x")
    assert wrong_secret == unknown_id
    assert wrong_secret.count("compare_digest") == 1
