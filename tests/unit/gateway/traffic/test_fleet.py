"""The fleet: nodes that were heard, directly or by others, and those that were not."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.traffic.fleet import Fleet, NodeReady
from gateway.traffic.report import Report, read_report
from tests.unit.gateway.traffic.models import Clock, Node, raw_report

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


class World:
    """A fleet, its clock, and a registry that others write too."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.fleet = Fleet(self.clock)
        self.nodes: dict[str, Node] = {}
        self.fleet.tick()

    def wait(self, seconds: float, *, registry: bool = True, listening: bool = True) -> None:
        """Let time pass in steps of half a second, with what the gateway does in each."""
        for _ in range(int(seconds * 2)):
            self.clock.now += 0.5
            if listening:
                self.fleet.tick()
            if registry:
                self.merge()

    def merge(self, at: datetime = NOW) -> None:
        """Read the registry."""
        self.fleet.merge(self.nodes.values(), at)

    def others_hear(self, name: str = "a", at: datetime = NOW) -> None:
        """Another gateway writes a heartbeat into the registry."""
        self.nodes[name] = Node(name, f"http://{name}:8080", at, raw_report())

    @property
    def ready(self) -> list[str]:
        """The nodes that would get a request for version 1.0."""
        return [each.name for each in self.fleet.nodes_with("deeplabv3", "1.0")]


@pytest.fixture
def world() -> World:
    """A fleet without nodes."""
    return World()


def heartbeat(name: str = "a", state: str = "ready", ready: int = 2) -> Report:
    """A report as the agent sends it."""
    return read_report(name, f"http://{name}:8080", raw_report(state, ready))


def test_a_node_that_was_heard_is_used(world: World) -> None:
    """With the workers that it has ready."""
    world.fleet.heard(heartbeat())
    assert world.fleet.nodes_with("deeplabv3", "1.0") == [
        NodeReady("a", "http://a:8080", 2, "a-token")
    ]
    assert world.fleet.nodes_with("deeplabv3", "9.9") == []
    assert world.fleet.nodes_with("unet", "1.0") == []


@pytest.mark.parametrize("state", ["fetching", "loading", "draining", "failed", ""])
def test_only_ready_versions_are_used(world: World, state: str) -> None:
    """Whatever workers there are."""
    world.fleet.heard(heartbeat(state=state))
    assert world.ready == []


def test_a_version_without_workers_is_not_used(world: World) -> None:
    """It could not answer."""
    world.fleet.heard(heartbeat(ready=0))
    assert world.ready == []


def test_drained_nodes_get_nothing(world: World) -> None:
    """They are left out by name."""
    for name in "ab":
        world.fleet.heard(heartbeat(name))
    found = world.fleet.nodes_with("deeplabv3", "1.0", without={"a"})
    assert [each.name for each in found] == ["b"]


def test_other_bytes_under_the_same_name_are_not_used(world: World) -> None:
    """A node may still have what a version of this name was before."""
    world.fleet.heard(heartbeat())
    assert world.fleet.nodes_with("deeplabv3", "1.0", sha256="other") == []
    assert len(world.fleet.nodes_with("deeplabv3", "1.0", sha256="abc")) == 1


def test_a_silent_node_is_left_out_after_ten_seconds(world: World) -> None:
    """And is back with its next heartbeat."""
    world.others_hear()
    world.fleet.heard(heartbeat())
    world.wait(9.5)
    assert world.ready == ["a"]
    world.wait(0.5)
    assert world.ready == []
    world.fleet.heard(heartbeat())
    assert world.ready == ["a"]


def test_a_stopped_gateway_takes_no_node_for_dead(world: World) -> None:
    """For a minute the process did not run: it could not hear."""
    world.others_hear()
    world.fleet.heard(heartbeat())
    world.wait(60, registry=False, listening=False)
    world.fleet.tick()
    world.merge()
    assert world.ready == ["a"]
    world.wait(9.5)
    assert world.ready == []


def test_nodes_of_other_gateways_outlive_the_registry(world: World) -> None:
    """While the database is away their heartbeats cannot be seen here."""
    world.others_hear()
    world.merge()
    world.wait(60, registry=False)
    assert world.ready == ["a"]
    world.others_hear(at=NOW + timedelta(seconds=61))
    world.wait(9.5)
    assert world.ready == ["a"]
    world.wait(1)
    assert world.ready == []


def test_an_own_node_is_judged_without_the_registry(world: World) -> None:
    """Its heartbeats come here."""
    world.others_hear()
    world.merge()
    world.fleet.heard(heartbeat())
    world.wait(10, registry=False)
    assert world.ready == []


def test_a_node_that_goes_to_another_gateway_stays(world: World) -> None:
    """Its news come by the registry then."""
    world.fleet.heard(heartbeat())
    for second in range(30):
        world.others_hear(at=NOW + timedelta(seconds=second))
        world.wait(1)
        assert world.ready == ["a"]


def test_the_newer_report_counts_where_a_node_goes_to_another_gateway(world: World) -> None:
    """Not the one of a second ago, when the version was loading; nor one of before that."""
    world.fleet.heard(heartbeat(state="loading", ready=0), NOW)
    world.others_hear(at=NOW - timedelta(seconds=1))
    world.merge()
    assert world.ready == []
    world.others_hear(at=NOW + timedelta(seconds=1))
    world.merge()
    assert world.ready == ["a"]


def test_clocks_of_machines_are_not_compared(world: World) -> None:
    """A node whose gateway's clock is an hour off is heard all the same: its time changes."""
    wrong = NOW - timedelta(hours=1)
    world.others_hear(at=wrong)
    world.merge()
    assert world.ready == []
    for second in range(1, 20):
        world.others_hear(at=wrong + timedelta(seconds=second))
        world.wait(1)
        assert world.ready == ["a"]


@pytest.mark.parametrize(("age", "ready"), [(1, ["a"]), (9, ["a"]), (11, []), (-3600, ["a"])])
def test_a_started_gateway_uses_what_was_heard_lately(
    world: World, age: float, ready: list[str]
) -> None:
    """Before the first heartbeat reaches itself."""
    world.others_hear(at=NOW - timedelta(seconds=age))
    world.merge()
    assert world.ready == ready


def test_a_node_that_never_was_heard_is_not_used(world: World) -> None:
    """Its row was made by hand."""
    world.nodes["a"] = Node("a", "http://a:8080", None, raw_report())
    world.merge()
    assert world.ready == []


def test_a_removed_node_is_forgotten(world: World) -> None:
    """Unless it goes on to send heartbeats here."""
    world.others_hear("a")
    world.others_hear("b")
    world.merge()
    world.fleet.heard(heartbeat("b"))
    world.nodes.clear()
    world.merge()
    assert world.ready == ["b"]
    world.wait(4)
    assert world.fleet.silent_s == {}


def test_the_status_counts_all_nodes(world: World) -> None:
    """Workers that are ready and wanted, and the states."""
    world.fleet.heard(heartbeat("a"))
    world.fleet.heard(heartbeat("b", state="loading", ready=1))
    status = world.fleet.version_status("deeplabv3", "1.0")
    assert (status.ready, status.wanted) == (2, 4)
    assert {name: each.state for name, each in status.nodes.items()} == {
        "a": "ready",
        "b": "loading",
    }
