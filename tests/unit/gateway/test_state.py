"""The gateway's state, opened and closed as one."""

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import RegistryUnavailableError
from gateway.registry import nodes
from gateway.state import State, build_state
from tests.unit.gateway.agents.conftest import beat
from tests.unit.gateway.doubles import settings

pytestmark = pytest.mark.anyio


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_empty_folder_gets_everything(tmp_path: Path) -> None:
    """Database, archives, and the agents' token, which its user alone can read."""
    folder = tmp_path / "data"
    state = build_state(settings(data_dir=folder))
    async with state.open():
        assert state.follower.snapshot.generation == 0
        assert {"registry.sqlite3", "archives", "node-token"} <= {
            path.name for path in folder.iterdir()
        }
    token = folder / "node-token"
    assert state.node_token.is_shown(f"Bearer {token.read_text()}")
    assert stat.S_IMODE(token.stat().st_mode) == 0o600


async def test_the_next_start_has_the_same(tmp_path: Path) -> None:
    """Token, and the nodes that were heard."""
    first = build_state(settings(data_dir=tmp_path))
    async with first.open():
        first.heartbeats.heard(beat("a"))
        await _until(lambda: _nodes(first) == ["a"])
    second = build_state(settings(data_dir=tmp_path))
    async with second.open():
        token = (tmp_path / "node-token").read_text()
        assert second.node_token.is_shown(f"Bearer {token}")
        assert first.node_token.is_shown(f"Bearer {token}")
        await _until(lambda: "a" in second.fleet.fresh)


def _nodes(state: State) -> list[str]:
    with state.database.reading() as connection:
        return [each.name for each in nodes.listed(connection)]


async def test_a_token_of_the_settings_comes_first(tmp_path: Path) -> None:
    """Nothing is written then; a file may be elsewhere, where agents read it."""
    state = build_state(settings(data_dir=tmp_path, node_token="given"))
    async with state.open():
        assert state.node_token.is_shown("Bearer given")
    assert not (tmp_path / "node-token").exists()
    place = tmp_path / "shared" / "token"
    other = build_state(settings(data_dir=tmp_path, node_token_file=place))
    async with other.open():
        assert other.node_token.is_shown(f"Bearer {place.read_text()}")


async def test_a_database_that_is_none_ends_the_start(tmp_path: Path) -> None:
    """With a sentence; the file stays as it was."""
    (tmp_path / "registry.sqlite3").write_bytes(b"no database" * 1000)
    state = build_state(settings(data_dir=tmp_path))
    with pytest.raises(RegistryUnavailableError):
        async with state.open():
            pytest.fail("it was opened")
    assert (tmp_path / "registry.sqlite3").read_bytes() == b"no database" * 1000


async def test_keys_are_followed_only_where_they_are_required(tmp_path: Path) -> None:
    """Without them nothing asks for a key."""
    states = [build_state(settings(data_dir=tmp_path, auth=auth)) for auth in ("off", "on")]
    assert [state.cache is None for state in states] == [True, False]
    for state in states:
        state.database.close()
