"""Seeds: archives that came with a node; what a person added or chose is never replaced."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.agents.seeds import ACTOR, Seed, Seeds
from gateway.archives.spool import Incoming
from gateway.archives.store import Stored
from gateway.errors import GatewayError, StoreUnavailableError
from gateway.registry import audit, policies, versions
from gateway.registry.records import STABLE, Change, Placement
from gateway.registry.snapshot import ModelState
from gateway.state import State
from tests.unit.gateway.archives.zip_files import manifest, sound_archive
from tests.unit.gateway.doubles import MODEL

pytestmark = pytest.mark.anyio


def archive(version: str = "1.0", weights: str | None = "w1", built: str = "") -> bytes:
    """An archive of these weights; built: anything else that makes its bytes others."""
    provenance = {"weights": {"sha256": weights}, "built": built}
    return sound_archive(
        **{
            "MAR-INF/MANIFEST.json": manifest(version=version),
            "provenance.json": json.dumps(provenance) if weights else None,
        }
    )


def seed_of(content: bytes, version: str = "1.0", *, is_stable: bool = False) -> Seed:
    """The offer of an archive."""
    return Seed(MODEL, version, hashlib.sha256(content).hexdigest(), is_stable)


async def _sent(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 10_000):
        yield content[start : start + 10_000]


class Node:
    """A node that offers archives as an agent does."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.sent = 0

    async def offer(self, content: bytes, version: str = "1.0", *, is_stable: bool = False) -> Any:
        """Offer an archive, and send it if it is needed; returns the refusal."""
        seed = seed_of(content, version, is_stable=is_stable)
        answer = await self.state.seeds.offered(seed)
        if answer["needs_archive"]:
            self.sent += 1
            answer = await self.state.seeds.received(seed, _sent(content))
        return answer["refusal"]

    @property
    def model(self) -> ModelState:
        """The model as the gateway follows it."""
        return self.state.follower.snapshot.models[MODEL]

    @property
    def stable(self) -> str | None:
        """The stable version."""
        return self.model.aliases.get(STABLE)

    def choose(self, version: str) -> None:
        """Let a person make a version stable."""
        with self.state.database.writing() as connection:
            policies.set_alias(connection, MODEL, STABLE, version, Change("a person"))
        self.state.follower.load()

    @property
    def actions(self) -> list[str]:
        """What the audit log says, oldest first."""
        with self.state.database.reading() as connection:
            return [entry.action for entry in reversed(audit.entries(connection, MODEL))]


@pytest.fixture
async def node(state: State) -> Node:
    """A node at a gateway with an empty registry and an empty store."""
    await state.archives.start()
    return Node(state)


async def test_a_new_seed_is_kept_and_the_first_one_is_stable(node: Node, state: State) -> None:
    """With what its archive says."""
    content = archive()
    assert await node.offer(content) is None
    record = node.model.versions["1.0"]
    assert (record.size, record.created_by) == (len(content), ACTOR)
    assert record.labels == {0: "background", 1: "cat", 2: "dog"}
    assert record.facts["provenance"]["weights"]["sha256"] == "w1"
    assert node.stable == "1.0"
    assert await state.archives.has(record.sha256)


async def test_a_known_seed_is_not_sent_again(node: Node) -> None:
    """A second node, or the same after a restart; nothing changes."""
    content = archive()
    await node.offer(content)
    generation = node.state.follower.snapshot.generation
    assert await node.offer(content) is None
    assert await node.offer(content, is_stable=True) is None
    assert node.sent == 1
    assert node.state.database.generation() == generation
    assert node.actions.count("version.add") == 1


async def test_another_seed_does_not_become_stable(node: Node) -> None:
    """A node that is added later does not change what clients get."""
    await node.offer(archive("1.0"))
    assert await node.offer(archive("2.0"), "2.0") is None
    assert (node.stable, set(node.model.versions)) == ("1.0", {"1.0", "2.0"})


async def test_a_chosen_seed_becomes_stable_once(node: Node) -> None:
    """The agent asks for it once; what a person chooses afterwards stays."""
    first, second = archive("1.0"), archive("2.0")
    await node.offer(first)
    await node.offer(second, "2.0", is_stable=True)
    assert node.stable == "2.0"
    node.choose("1.0")
    assert await node.offer(second, "2.0") is None
    assert node.stable == "1.0"
    assert await node.offer(second, "2.0", is_stable=True) is None
    assert (node.stable, node.sent) == ("2.0", 2)


async def test_a_seed_that_was_scaled_to_0_does_not_become_stable(node: Node) -> None:
    """The node is told why, once; what is stable stays."""
    first, second = archive("1.0"), archive("2.0")
    await node.offer(first)
    await node.offer(second, "2.0")
    with node.state.database.writing() as connection:
        policies.place(connection, Placement(MODEL, "2.0", "*", 0), Change("a person"))
    refusal = await node.offer(second, "2.0", is_stable=True)
    assert "scale it first" in refusal
    assert (node.stable, node.sent) == ("1.0", 2)


async def test_a_seed_that_was_built_again_replaces_its_former_bytes(node: Node) -> None:
    """Of the same weights: the product was updated. The archive is another one from then on."""
    await node.offer(archive(built="yesterday"))
    again = archive(built="today")
    assert await node.offer(again) is None
    assert node.model.versions["1.0"].sha256 == seed_of(again).sha256
    assert node.stable == "1.0"
    assert node.actions.count("version.rebuild") == 1


async def test_builds_of_two_nodes_do_not_take_turns(node: Node, state: State) -> None:
    """The version would change with each restart of one of them: what it had does not come back."""
    first, second = archive(built="on a"), archive(built="on b")
    await node.offer(first)
    await node.offer(second)
    generation, sent = state.database.generation(), node.sent
    for is_stable in (False, True):
        refusal = await node.offer(first, is_stable=is_stable)
        assert refusal == (
            f"{MODEL} 1.0 had these bytes before, and was built again since. "
            "Build this archive with another --version."
        )
    answer = await state.seeds.received(seed_of(first), _sent(first))
    assert answer["refusal"] == refusal
    assert await node.offer(second) is None
    assert node.model.versions["1.0"].sha256 == seed_of(second).sha256
    assert (state.database.generation(), node.sent) == (generation, sent)
    assert not await state.archives.has(seed_of(first).sha256)


async def test_the_archive_of_a_former_build_is_deleted(node: Node, state: State) -> None:
    """It only takes room."""
    first = archive(built="yesterday")
    await node.offer(first)
    await node.offer(archive(built="today"))
    assert not await state.archives.has(seed_of(first).sha256)


async def test_an_archive_that_another_version_has_is_not_deleted(node: Node, state: State) -> None:
    """Versions with the same archive share it."""
    first = archive(built="yesterday")
    await node.offer(first)
    with state.database.writing() as connection:
        same = replace(versions.get(connection, MODEL, "1.0"), version="9.0")
        versions.add(connection, same, "a person")
    await node.offer(archive(built="today"))
    assert await state.archives.has(seed_of(first).sha256)


async def test_an_archive_that_is_removed_meanwhile_adds_no_version(
    node: Node, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent offers it again."""
    keep = state.archives.keep

    async def removed(incoming: Incoming) -> Stored:
        stored = await keep(incoming)
        await state.archives.delete(stored.sha256)
        return stored

    monkeypatch.setattr(state.archives, "keep", removed)
    with pytest.raises(StoreUnavailableError, match="removed meanwhile"):
        await node.offer(archive())
    assert state.database.generation() == 0
    monkeypatch.undo()
    assert await node.offer(archive()) is None


@pytest.mark.parametrize("weights", ["w2", None])
async def test_a_seed_of_other_weights_is_refused(node: Node, weights: str | None) -> None:
    """It would be another model under the same version."""
    first = archive()
    await node.offer(first)
    refusal = await node.offer(archive(weights=weights), is_stable=True)
    assert refusal
    assert "\n" not in refusal
    assert node.model.versions["1.0"].sha256 == seed_of(first).sha256
    assert len(list(Path(node.state.archives.url).rglob("*.mar"))) == 1


async def test_what_a_person_added_is_not_replaced(node: Node) -> None:
    """Even by a seed of the same weights."""
    content = archive()
    await node.offer(content)
    with node.state.database.writing() as connection:
        mine = replace(versions.get(connection, MODEL, "1.0"), version="2.0", created_by="a person")
        versions.add(connection, mine, "a person")
    node.state.follower.load()
    assert await node.offer(archive("2.0", built="other"), "2.0", is_stable=True)
    assert node.model.versions["2.0"].created_by == "a person"
    assert node.stable == "1.0"


async def test_a_retired_version_stays_retired(node: Node) -> None:
    """A restart of its node does not bring it back."""
    first = archive("1.0")
    await node.offer(first)
    await node.offer(archive("2.0"), "2.0", is_stable=True)
    with node.state.database.writing() as connection:
        versions.retire(connection, MODEL, "1.0", Change("a person"))
    node.state.follower.load()
    assert await node.offer(first) == "the version is retired"
    assert node.model.versions["1.0"].state == "retired"
    assert node.stable == "2.0"


async def test_a_lost_archive_is_sent_again(node: Node, state: State) -> None:
    """The store was emptied by hand."""
    content = archive()
    await node.offer(content)
    await state.archives.delete(seed_of(content).sha256)
    assert await node.offer(content) is None
    assert node.sent == 2
    assert await state.archives.has(seed_of(content).sha256)


async def test_a_damaged_archive_is_sent_again(node: Node, state: State) -> None:
    """By a node whose copy is sound: the store's disk has lost a bit."""
    content = archive()
    await node.offer(content)
    (kept,) = Path(state.archives.url).rglob("*.mar")
    kept.write_bytes(content[:-1] + b"x")
    assert await node.offer(content) is None
    assert node.sent == 2
    assert kept.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "seed"),
    [
        (b"", seed_of(b"")),
        (b"no zip", seed_of(b"no zip")),
        (archive()[:-40], seed_of(archive()[:-40])),
        (archive(), replace(seed_of(archive()), version="2.0")),
        (archive(), replace(seed_of(archive()), model="other")),
        (archive(), replace(seed_of(archive()), sha256="0" * 64)),
    ],
    ids=["empty", "text", "cut off", "other version", "other model", "other bytes"],
)
async def test_what_is_not_the_offered_archive_is_refused(
    node: Node, state: State, content: bytes, seed: Seed
) -> None:
    """For good: it would be the same the next time. Nothing is kept."""
    answer = await state.seeds.received(seed, _sent(content))
    assert answer["needs_archive"] is False
    assert answer["refusal"]
    assert state.follower.snapshot.models == {}
    assert not await state.archives.has(hashlib.sha256(content).hexdigest())


async def test_an_archive_beyond_the_limit_is_refused(node: Node) -> None:
    """Before it is received whole."""
    state = node.state
    seeds = Seeds(state.database, state.follower, state.archives, 1000)
    answer = await seeds.received(seed_of(archive()), _sent(archive()))
    assert "1000" in answer["refusal"]


async def test_a_store_that_is_away_is_no_refusal(
    node: Node, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent offers it again later."""

    async def away(*_: object) -> None:
        raise StoreUnavailableError("It is away.")

    monkeypatch.setattr(state.archives, "keep", away)
    with pytest.raises(GatewayError):
        await node.offer(archive())
    monkeypatch.undo()
    assert await node.offer(archive()) is None
