"""The next step: capacity first, the default before all; nothing that serves is touched."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.failures import Failure, outdated, still_told
from agent.messages import Desired, WantedModel, WantedVersion
from agent.reconcile import (
    GATEWAYS_S,
    Actual,
    Fetch,
    Loaded,
    Memory,
    Register,
    Scale,
    SetDefault,
    Step,
    Unload,
    plan,
)
from tests.unit.agent.simulation import WORKERS, Node

MODEL = "deeplabv3"


def digest(version: str) -> str:
    """A made-up SHA-256 for a version."""
    return version.replace(".", "").rjust(64, "0")


# A version from the archive of before it was built again, with two workers.
OLD = Loaded("f" * 64, 2, 2)


def desired(default: str | None, **workers: int | None) -> Desired:
    """A desired state; v1_0=2 is version 1.0 with two workers."""
    versions = {
        name[1:].replace("_", "."): WantedVersion(digest(name[1:].replace("_", ".")), 10, count)
        for name, count in workers.items()
    }
    return Desired(1, {MODEL: WantedModel(default, versions)})


def next_step(
    wanted: Desired, actual: Actual, memory: Memory | None = None, now: float = 100.0
) -> Step | None:
    """The plan at one moment."""
    return plan(wanted, actual, memory or Memory(), now, WORKERS)


def loaded(version: str, wanted: int = 2, ready: int | None = None) -> Loaded:
    """A version as TorchServe holds it."""
    return Loaded(digest(version), wanted, wanted if ready is None else ready)


def node(default: str, **versions: Loaded) -> Actual:
    """What a node has; all archives are there."""
    held = {name[1:].replace("_", "."): each for name, each in versions.items()}
    digests = frozenset(digest(f"{number}.0") for number in range(1, 6))
    return Actual({MODEL: held}, {MODEL: default}, digests)


def test_a_new_version_is_fetched_registered_and_scaled() -> None:
    """One step at a time."""
    steps = Node().run(desired("1.0", v1_0=3))
    assert steps == [
        Fetch(MODEL, "1.0", digest("1.0"), 10),
        Register(MODEL, "1.0", digest("1.0")),
        Scale(MODEL, "1.0", 3),
    ]


def test_the_default_version_comes_first() -> None:
    """It serves most."""
    first = next_step(desired("2.0", v1_0=2, v2_0=2), Actual())
    assert first == Fetch(MODEL, "2.0", digest("2.0"), 10)


def test_a_version_becomes_the_default_once_it_is_ready() -> None:
    """TorchServe then lets the former one go."""
    wanted = desired("2.0", v1_0=2, v2_0=2)
    starting = node("1.0", v1_0=loaded("1.0"), v2_0=loaded("2.0", ready=0))
    assert next_step(wanted, starting) is None
    ready = node("1.0", v1_0=loaded("1.0"), v2_0=loaded("2.0"))
    assert next_step(wanted, ready) == SetDefault(MODEL, "2.0")


def test_nothing_is_taken_away_before_every_gateway_knows() -> None:
    """Images on their way find their version."""
    wanted, key = desired("2.0", v2_0=2), (MODEL, "1.0")
    held = node("2.0", v1_0=loaded("1.0"), v2_0=loaded("2.0"))
    soon = Memory(surplus_since={key: 100.0 - GATEWAYS_S + 0.1})
    assert next_step(wanted, held) is None
    assert next_step(wanted, held, soon) is None
    late = Memory(surplus_since={key: 100.0 - GATEWAYS_S})
    assert next_step(wanted, held, late) == Unload(MODEL, "1.0")


def test_the_default_is_not_unloaded_while_no_other_is_ready() -> None:
    """The successor does not start: the former version serves on."""
    wanted, key = desired("2.0", v2_0=2), (MODEL, "1.0")
    memory = Memory({(MODEL, "2.0"): Failure(digest("2.0"), "no", 99.5)}, {key: 0.0})
    held = node("1.0", v1_0=loaded("1.0"), v2_0=loaded("2.0", 0))
    assert next_step(wanted, held, memory) is None


LATE = Memory(surplus_since={(MODEL, "1.0"): 0.0})


@pytest.mark.parametrize("ready", [0, 2])
def test_a_default_that_was_built_again_gives_way_to_another_version(ready: int) -> None:
    """TorchServe does not forget its default while there are others; then it is loaded anew."""
    wanted = desired("1.0", v1_0=2, v2_0=2)
    held = node("1.0", v1_0=OLD, v2_0=loaded("2.0", ready=ready))
    assert next_step(wanted, held) is None
    assert next_step(wanted, held, LATE) == SetDefault(MODEL, "2.0")
    held = node("2.0", v1_0=OLD, v2_0=loaded("2.0", ready=ready))
    assert next_step(wanted, held, LATE) == Unload(MODEL, "1.0")
    held = node("2.0", v1_0=loaded("1.0"), v2_0=loaded("2.0"))
    assert next_step(wanted, held) == SetDefault(MODEL, "1.0")


def test_the_only_version_that_was_built_again_is_unloaded() -> None:
    """Once what comes in its place is there."""
    wanted, held = desired("1.0", v1_0=2), node("1.0", v1_0=OLD)
    assert next_step(wanted, held, LATE) == Unload(MODEL, "1.0")
    assert next_step(wanted, replace(held, archives=frozenset({OLD.sha256}))) == Fetch(
        MODEL, "1.0", digest("1.0"), 10
    )
    failed = replace(LATE, failures={(MODEL, "1.0"): Failure(digest("1.0"), "no disk", 99.5)})
    assert next_step(wanted, replace(held, archives=frozenset({OLD.sha256})), failed) is None


def test_a_default_that_nothing_replaces_here_gives_way_too() -> None:
    """The stable version has workers elsewhere only; nothing is the default of this node."""
    held = node("1.0", v1_0=loaded("1.0"), v2_0=loaded("2.0"))
    assert next_step(desired(None, v2_0=2), held, LATE) == SetDefault(MODEL, "2.0")


def test_workers_are_added_at_once_and_ended_later() -> None:
    """More than wanted must finish first."""
    held = node("1.0", v1_0=loaded("1.0", 2))
    assert next_step(desired("1.0", v1_0=4), held) == Scale(MODEL, "1.0", 4)
    assert next_step(desired("1.0", v1_0=1), held) is None
    late = Memory(surplus_since={(MODEL, "1.0"): 0.0})
    assert next_step(desired("1.0", v1_0=1), held, late) == Scale(MODEL, "1.0", 1)


def test_a_version_without_a_number_of_workers_has_the_nodes() -> None:
    """As SEGSERVE_AGENT_WORKERS says."""
    held = node("1.0", v1_0=loaded("1.0", 1))
    assert next_step(desired("1.0", v1_0=None), held) == Scale(MODEL, "1.0", WORKERS)


@pytest.mark.parametrize(
    ("count", "pause_s"), [(1, 1), (2, 2), (4, 8), (6, 32), (7, 60), (400, 60)]
)
def test_a_failed_version_waits_and_the_others_go_on(count: int, pause_s: int) -> None:
    """Its pause doubles, up to a minute."""
    wanted = desired("1.0", v1_0=2, v2_0=2)
    held = node("1.0", v2_0=loaded("2.0", 0))
    failure = Failure(digest("1.0"), "no workers", 100.0, count)
    memory = Memory({(MODEL, "1.0"): failure})
    assert next_step(wanted, held, memory, 99.9 + pause_s) == Scale(MODEL, "2.0", 2)
    due = next_step(wanted, held, memory, 100.0 + pause_s)
    assert due == Register(MODEL, "1.0", digest("1.0"))


def test_other_bytes_under_the_same_version_are_tried_at_once() -> None:
    """A failure belongs to an archive."""
    failure = Failure(digest("9.9"), "no workers", 100.0)
    memory = Memory({(MODEL, "1.0"): failure})
    assert next_step(desired("1.0", v1_0=2), node("", v2_0=loaded("2.0")), memory) == Register(
        MODEL, "1.0", digest("1.0")
    )


def test_a_model_that_nothing_wants_is_unloaded_whole() -> None:
    """TorchServe lets a default go when it is alone."""
    held = Node()
    held.run(desired("1.0", v1_0=2, v2_0=1))
    held.run(Desired(2, {}))
    assert held.actual.models == {}


VERSIONS = st.dictionaries(
    st.sampled_from(["1.0", "2.0", "3.0", "4.0"]), st.integers(0, 4), min_size=0, max_size=4
)


@st.composite
def states(draw: st.DrawFn) -> Desired:
    """Any desired state whose default has workers."""
    versions = draw(VERSIONS)
    served = [version for version, count in versions.items() if count]
    default = draw(st.sampled_from(served)) if served else None
    builds = {each: draw(st.sampled_from("ab")) for each in versions}
    found = {
        each: WantedVersion(builds[each] + digest(each)[1:], 10, count)
        for each, count in versions.items()
    }
    return Desired(1, {MODEL: WantedModel(default, found)} if found else {})


@given(st.lists(states(), min_size=1, max_size=5))
def test_every_state_is_reached_from_every_other(path: list[Desired]) -> None:
    """And then there is nothing to do; the default is only ever a version that is there."""
    held = Node()
    for wanted in path:
        held.steps.clear()
        held.run(wanted)
        model = wanted.models.get(MODEL)
        found = {
            version: (each.sha256, each.wanted)
            for version, each in held.actual.models.get(MODEL, {}).items()
        }
        versions = model.versions if model else {}
        assert found == {version: (each.sha256, each.workers) for version, each in versions.items()}
        if model is None or model.default is not None:
            assert held.defaults.get(MODEL) == (model.default if model else None)


def test_a_failure_is_told_as_long_as_it_matters() -> None:
    """Of a version that comes again nothing is told of how its end went."""
    key, wanted = (MODEL, "1.0"), desired("1.0", v1_0=2)
    loading, unloading = (Failure(sha256, "why", 1.0) for sha256 in (digest("1.0"), ""))
    assert still_told({key: loading}, wanted, set()) == {key: loading}
    assert still_told({key: loading}, desired(None), {key}) == {}
    assert still_told({key: unloading}, desired(None), {key}) == {key: unloading}
    assert still_told({key: unloading}, wanted, set()) == {}


def test_a_failure_of_what_is_wanted_no_longer_is_not_told() -> None:
    """Who asks for fewer workers is not told why more did not start; of others nothing changes."""
    failures, before = [(MODEL, "1.0"), (MODEL, "2.0")], desired("1.0", v1_0=9, v2_0=2)
    assert outdated(failures, before, desired("2.0", v1_0=9, v2_0=2)) == []
    assert outdated(failures, before, desired("1.0", v1_0=3, v2_0=2)) == [(MODEL, "1.0")]
    assert outdated(failures, before, desired("1.0", v2_0=2)) == [(MODEL, "1.0")]
