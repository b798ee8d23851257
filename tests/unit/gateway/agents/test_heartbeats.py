"""Heartbeats: known at once, kept for other gateways, and never delayed by the database."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.agents import heartbeats as module
from gateway.agents.heartbeats import Heartbeats
from gateway.errors import RegistryUnavailableError
from gateway.registry import audit, nodes
from gateway.registry.database import Database
from gateway.registry.follower import Follower
from gateway.registry.records import Change, NodeRecord
from gateway.state import State
from gateway.traffic.fleet import Fleet
from tests.unit.gateway.agents.conftest import beat
from tests.unit.gateway.doubles import MODEL, NODE_URL

pytestmark = pytest.mark.anyio


@contextmanager
def unavailable() -> Iterator[Any]:
    """A transaction of a database that is away."""
    raise RegistryUnavailableError("It is away.")
    yield


class Away:
    """A database that is away, or hangs, whenever a test says so; and what was written to it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_away = False
        self.hangs_s = 0.0
        self.writes = 0

    def writing(self, *, announced: bool = True) -> AbstractContextManager[Any]:
        """A transaction."""
        time.sleep(self.hangs_s)  # in the thread that writes
        if self.is_away:
            return unavailable()
        self.writes += 1
        return self._database.writing(announced=announced)


@pytest.fixture
def database(state: State) -> Away:
    """The state's database."""
    return Away(state.database)


@pytest.fixture
def heartbeats(state: State, database: Away) -> Heartbeats:
    """Heartbeats that are kept there."""
    return Heartbeats(database, state.follower, state.fleet)  # type: ignore[arg-type]


def kept(state: State) -> dict[str, NodeRecord]:
    """The nodes in the registry."""
    with state.database.reading() as connection:
        return {each.name: each for each in nodes.listed(connection)}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what a background task does."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_report_is_known_at_once_and_kept_soon(
    state: State, heartbeats: Heartbeats
) -> None:
    """Without a new generation: nothing is to be followed."""
    async with heartbeats.running():
        assert heartbeats.heard(beat("a")) == {"generation": 0, "models": {}}
        assert [each.workers for each in state.fleet.nodes_with(MODEL, "1.0")] == [2]
        await until(lambda: "a" in kept(state))
    record = kept(state)["a"]
    assert (record.url, record.report["token"]) == (NODE_URL, "t0ken")
    assert record.report["models"][MODEL]["1.0"]["ready"] == 2
    assert state.database.generation() == 0


async def test_a_report_is_kept_only_if_it_changed_or_is_old(
    state: State, database: Away, heartbeats: Heartbeats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory changes all the time, and nothing is decided by it."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(heartbeats, "_wake", asyncio.Event())

    def due(**changes: Any) -> bool:
        heartbeats._due.clear()
        with suppress(RegistryUnavailableError):  # for a generation that is not read yet
            heartbeats.heard(beat("a", **changes))
        return "a" in heartbeats._due

    assert due()
    assert not due()
    assert not due(free_memory_mb=1, generation=9)
    assert due(doing="loading deeplabv3 2.0")
    assert due(token="another")
    assert not due(token="another")
    now[0] += 1.9
    assert not due(token="another")
    now[0] += 0.2
    assert due(token="another")
    assert due(models={})
    assert due(url="http://192.0.2.7:1")
    assert database.writes == 0
    assert kept(state) == {}


async def test_many_nodes_are_kept_in_few_transactions(
    state: State, database: Away, heartbeats: Heartbeats
) -> None:
    """Those that came while one was written, in the next one."""
    database.hangs_s = 0.2
    async with heartbeats.running():
        for number in range(100):
            heartbeats.heard(beat(f"node-{number}"))
            await asyncio.sleep(0)
        await until(lambda: len(kept(state)) == 100)
    assert database.writes <= 3


@pytest.mark.parametrize("fault", ["away", "hanging"])
async def test_a_database_that_does_not_answer_delays_no_report(
    state: State, database: Away, heartbeats: Heartbeats, fault: str
) -> None:
    """Nodes stay known; once it is back their next reports are kept."""
    database.is_away, database.hangs_s = fault == "away", 0.0 if fault == "away" else 1.0
    async with heartbeats.running():
        began = time.monotonic()
        for number in range(20):
            assert heartbeats.heard(beat("a", doing=f"step {number}"))["models"] == {}
            await asyncio.sleep(0)
        assert time.monotonic() - began < 0.5
        assert "a" in state.fleet.fresh
        await asyncio.sleep(0.1)
        assert kept(state) == {}
        database.is_away, database.hangs_s = False, 0.0
        heartbeats.heard(beat("a", doing="back"))
        await until(lambda: "a" in kept(state) and kept(state)["a"].report["doing"] == "back")


async def test_before_the_registry_was_read_there_is_no_answer(state: State) -> None:
    """An empty one would have every node unload everything."""
    heartbeats = Heartbeats(state.database, Follower(state.database), Fleet())
    with pytest.raises(RegistryUnavailableError):
        heartbeats.heard(beat("a"))


def answered(heartbeats: Heartbeats, generation: int) -> int | None:
    """The generation that a node which has this one is told; None for a refusal."""
    try:
        return int(heartbeats.heard(beat("a", generation=generation))["generation"])
    except RegistryUnavailableError:
        return None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as far as it passes."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


async def test_a_gateway_without_its_database_tells_nobody_an_older_state(
    state: State, clock: list[float]
) -> None:
    """The node keeps what another gateway told it, and is known here all the same."""
    follower = Follower(state.database)
    follower.load()
    heartbeats = Heartbeats(state.database, follower, state.fleet)
    assert answered(heartbeats, 0) == 0
    for _ in range(5):
        clock[0] += 60
        assert answered(heartbeats, 1) is None
        assert answered(heartbeats, 0) == 0
    assert "a" in state.fleet.fresh


async def test_a_gateway_that_is_a_moment_behind_reads_before_it_answers(
    state: State, clock: list[float]
) -> None:
    """No node goes back to what was; each change is waited for anew."""
    follower = Follower(state.database)
    follower.load()
    heartbeats = Heartbeats(state.database, follower, state.fleet)
    for generation in (1, 2):
        clock[0] += 0.1
        with state.database.writing():
            pass
        assert answered(heartbeats, generation) is None
        clock[0] += 0.1
        assert answered(heartbeats, generation) is None
        follower.load()
        assert answered(heartbeats, generation) == generation


async def test_another_databases_lower_generation_is_the_truth(
    state: State, clock: list[float]
) -> None:
    """As soon as it was read after the node said what it knows."""
    follower = Follower(state.database)
    follower.load()
    heartbeats = Heartbeats(state.database, follower, state.fleet)
    clock[0] += 0.1
    assert answered(heartbeats, 7) is None
    clock[0] += 0.1
    follower.load()
    assert answered(heartbeats, 7) == 0
    clock[0] += 0.1
    assert answered(heartbeats, 7) == 0
    assert answered(heartbeats, 8) is None


async def test_a_record_that_cannot_be_kept_stops_no_other(
    state: State, heartbeats: Heartbeats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does any other failure end the keeping of records."""
    heard = nodes.heard

    def fails(connection: Any, record: NodeRecord) -> None:
        if record.name == "bad":
            raise KeyError(record.name)
        heard(connection, record)

    monkeypatch.setattr(nodes, "heard", fails)
    async with heartbeats.running():
        for name in ("a", "bad", "b"):
            heartbeats.heard(beat(name))
        await until(lambda: set(kept(state)) == {"a", "b"})
        heartbeats.heard(beat("c"))
        await until(lambda: set(kept(state)) == {"a", "b", "c"})


async def test_a_failure_does_not_stop_the_fleets_clock(
    state: State, heartbeats: Heartbeats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nodes would never be silent, and never be read from the registry."""
    monkeypatch.setattr(module, "_TICK_S", 0.01)
    failures = [KeyError("x"), KeyError("y")]
    merge = state.fleet.merge

    def fails(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        merge(*arguments)

    monkeypatch.setattr(state.fleet, "merge", fails)
    with state.database.writing() as connection:
        nodes.heard(connection, NodeRecord("z", NODE_URL, datetime.now(UTC), {}))
    state.follower.load()
    async with heartbeats.running():
        await until(lambda: "z" in state.fleet.fresh)


async def test_nodes_that_were_silent_for_a_week_are_forgotten(
    state: State, heartbeats: Heartbeats
) -> None:
    """Those alone; the audit log says so."""
    now = datetime.now(UTC)
    with state.database.writing() as connection:
        for name, days in (("old", 7.1), ("young", 6.9)):
            seen = now - timedelta(days=days)
            nodes.heard(connection, NodeRecord(name, NODE_URL, seen, {}))
    async with heartbeats.running():
        heartbeats.heard(beat("a"))
        await until(lambda: set(kept(state)) == {"a", "young"})
    with state.database.reading() as connection:
        (entry,) = audit.entries(connection)
    assert (entry.actor, entry.action, entry.subject) == ("automatic", "node.forget", "old")
    assert entry.why == "not heard for 7 days"


async def test_what_was_heard_of_forgotten_nodes_is_dropped(
    state: State, heartbeats: Heartbeats, clock: list[float]
) -> None:
    """A gateway that runs for years does not keep every node that ever was."""
    for name in ("a", "b"):
        heartbeats.heard(beat(name))
    with state.database.writing() as connection:
        nodes.heard(connection, NodeRecord("a", NODE_URL, datetime.now(UTC), {}))
    clock[0] += 1
    state.follower.load()
    heartbeats._tick()
    assert set(heartbeats._kept) == {"a", "b"}
    clock[0] += 2
    state.follower.load()
    heartbeats._tick()
    assert set(heartbeats._kept) == {"a"}


async def test_a_snapshot_comes_with_its_nodes(state: State, heartbeats: Heartbeats) -> None:
    """A version that another gateway made stable is ready on the nodes that are read with it."""
    with state.database.writing() as connection:
        report = beat("z").model_dump(exclude={"node", "url", "generation"})
        nodes.heard(connection, NodeRecord("z", NODE_URL, datetime.now(UTC), report))
    assert state.fleet.nodes_with(MODEL, "1.0") == []
    await state.follower.refresh()
    assert [each.name for each in state.fleet.nodes_with(MODEL, "1.0")] == ["z"]


async def test_other_gateways_know_the_node_by_the_registry(
    state: State, heartbeats: Heartbeats
) -> None:
    """Its report, its address and its token; and forget it when it is removed."""
    fleet = Fleet()
    follower = Follower(state.database)
    follower.load()
    other = Heartbeats(state.database, follower, fleet)
    async with heartbeats.running(), follower.following(), other.running():
        heartbeats.heard(beat("a"))
        await until(lambda: "a" in fleet.fresh)
        (node,) = fleet.nodes_with(MODEL, "1.0")
        assert (node.url, node.workers, node.token) == (NODE_URL, 2, "t0ken")
        with state.database.writing() as connection:
            nodes.forget(connection, "a", Change("a test"))
        await until(lambda: fleet.fresh == {})


async def test_a_node_that_is_silent_gets_nothing(
    state: State, heartbeats: Heartbeats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After ten seconds in which it could have been heard."""
    monkeypatch.setattr(module, "_TICK_S", 0.01)
    now = [1000.0]
    fleet = Fleet(lambda: now[0])
    beats = Heartbeats(state.database, state.follower, fleet)
    async with state.follower.following(), beats.running():
        beats.heard(beat("a"))
        await until(lambda: "a" in state.follower.snapshot.nodes)
        for _ in range(9):
            now[0] += 1.0
            await asyncio.sleep(0.03)
        assert "a" in fleet.fresh
        for _ in range(3):
            now[0] += 1.0
            await asyncio.sleep(0.03)
        await until(lambda: fleet.fresh == {})
