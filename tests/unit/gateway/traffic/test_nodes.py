"""The choice of a node: least loaded, by chance of equals, and a rest for the failing."""

import random
from collections import Counter
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.traffic.fleet import NodeReady
from gateway.traffic.nodes import NodeLoads
from tests.unit.gateway.traffic.models import Clock

A, B, BIG = NodeReady("a", "", 1), NodeReady("b", "", 1), NodeReady("c", "", 4)


def chosen(loads: NodeLoads, *nodes: NodeReady, tried: tuple[str, ...] = ()) -> str:
    """The name of the node that is taken."""
    node = loads.choose(nodes, tried)
    assert node is not None
    return node.name


@pytest.fixture
def clock() -> Clock:
    """A clock that tests move."""
    return Clock()


@pytest.fixture
def loads(clock: Clock) -> NodeLoads:
    """No node has anything; chance is the same in every run."""
    return NodeLoads(clock, random.Random(1).choice)  # noqa: S311  # no secret


def test_without_nodes_there_is_none(loads: NodeLoads) -> None:
    """The caller has the error."""
    assert loads.choose([]) is None


def test_the_least_loaded_for_its_workers_is_taken(loads: NodeLoads) -> None:
    """Three at four workers are less than one at one."""
    with ExitStack() as sending:
        sending.enter_context(loads.sending("a"))
        for _ in range(3):
            sending.enter_context(loads.sending("c"))
        assert chosen(loads, A, BIG) == "c"
        sending.enter_context(loads.sending("c"))
        sending.enter_context(loads.sending("c"))
        assert chosen(loads, A, BIG) == "a"
        assert (loads.in_flight("a"), loads.in_flight("c"), loads.in_flight("x")) == (1, 5, 0)
    assert (loads.in_flight("a"), loads.in_flight("c")) == (0, 0)


def test_equals_are_taken_by_chance(loads: NodeLoads) -> None:
    """Several gateways must not all begin with the first one."""
    taken = Counter(chosen(loads, A, B) for _ in range(1000))
    assert min(taken["a"], taken["b"]) > 400


def test_a_failed_node_rests(loads: NodeLoads, clock: Clock) -> None:
    """A second, then two, four, eight, ten, ten; an answer ends it."""
    for rest in (1, 2, 4, 8, 10, 10):
        loads.failed("a")
        clock.now += rest - 0.01
        assert {chosen(loads, A, B) for _ in range(50)} == {"b"}
        clock.now += 0.02
        assert {chosen(loads, A, B) for _ in range(50)} == {"a", "b"}
    loads.succeeded("a")
    loads.failed("a")
    clock.now += 1.01
    assert {chosen(loads, A, B) for _ in range(50)} == {"a", "b"}


def test_failures_of_one_cause_count_once(loads: NodeLoads, clock: Clock) -> None:
    """All requests that were at the node fail at the same moment."""
    for _ in range(20):
        loads.failed("a")
    clock.now += 1.01
    assert {chosen(loads, A, B) for _ in range(50)} == {"a", "b"}


def test_an_answer_ends_a_rest(loads: NodeLoads) -> None:
    """The connection was broken by chance."""
    loads.failed("a")
    loads.succeeded("a")
    assert {chosen(loads, A, B) for _ in range(50)} == {"a", "b"}
    loads.succeeded("never used")


def test_if_all_rest_the_least_bad_is_taken(loads: NodeLoads, clock: Clock) -> None:
    """It is the one whose rest ends first."""
    loads.failed("a")
    clock.now += 0.5
    loads.failed("b")
    assert chosen(loads, A, B) == "a"
    assert chosen(loads, B) == "b"


def test_a_second_try_goes_elsewhere(loads: NodeLoads) -> None:
    """Also to a node that rests or is busy; to the same one only if there is no other."""
    loads.failed("b")
    with loads.sending("b"):
        assert chosen(loads, A, B, tried=("a",)) == "b"
    assert chosen(loads, A, tried=("a",)) == "a"


def test_each_version_of_a_node_has_its_own_load_and_rest(loads: NodeLoads) -> None:
    """Its workers are its own; a refused connection is the whole node's."""

    def taken(version: str) -> set[str]:
        found = (loads.choose([A, B], (), version) for _ in range(50))
        return {each.name for each in found if each is not None}

    with loads.sending("a", "1.0"):
        assert (taken("1.0"), taken("2.0")) == ({"b"}, {"a", "b"})
        assert loads.in_flight("a") == 1
    loads.failed("a", "1.0")
    assert (taken("1.0"), taken("2.0")) == ({"b"}, {"a", "b"})
    loads.succeeded("a", "2.0")
    assert taken("1.0") == {"b"}
    loads.succeeded("a", "1.0")
    assert taken("1.0") == {"a", "b"}
    loads.failed("a")
    assert (taken("1.0"), taken("2.0")) == ({"b"}, {"b"})


def test_a_failure_of_long_ago_is_forgotten(loads: NodeLoads, clock: Clock) -> None:
    """The next rest is as short as the first one, and requests still count."""
    for _ in range(3):
        loads.failed("a")
        clock.now += 10
    clock.now += 600
    with loads.sending("b"):
        loads.failed("a")
        assert loads.in_flight("b") == 1
    clock.now += 1.5
    assert {chosen(loads, A, B) for _ in range(50)} == {"a", "b"}


@given(st.lists(st.integers(1, 8), min_size=1, max_size=6), st.integers(0, 60))
def test_load_is_spread_by_workers(workers: list[int], requests: int) -> None:
    """No node has two requests per worker more than another needs to have."""
    nodes = [NodeReady(str(index), "", count) for index, count in enumerate(workers)]
    loads = NodeLoads(Clock(), random.Random(1).choice)  # noqa: S311  # no secret
    with ExitStack() as sending:
        for _ in range(requests):
            sending.enter_context(loads.sending(chosen(loads, *nodes)))
        shares = [loads.in_flight(each.name) / each.workers for each in nodes]
        before = [(loads.in_flight(each.name) - 1) / each.workers for each in nodes]
        assert max(before) <= min(shares)
