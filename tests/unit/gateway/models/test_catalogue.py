"""The catalogue: the versions of the model, by the registry and the nodes, without any wait."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest

from gateway.errors import (
    ModelUnavailableError,
    NotFoundError,
    NoWorkerFreeError,
    OverloadedError,
    RegistryUnavailableError,
    WorkerDiedError,
)
from gateway.models.catalogue import Catalogue
from gateway.registry.database import Database
from gateway.registry.records import CANARY, STABLE, VersionRecord, VersionState
from gateway.registry.snapshot import EMPTY, ModelState, Snapshot
from gateway.traffic.fleet import Fleet
from gateway.traffic.identity import RecentClients
from gateway.traffic.report import Report, VersionReport
from tests.unit.gateway.doubles import (
    DIGEST,
    MODEL,
    STARTED,
    ServedFleet,
    ServedFollower,
    TorchServeDouble,
)

pytestmark = pytest.mark.anyio

LABELS = {0: "background", 15: "person"}


class Registry:
    """A registry that a test sets; reading it anew may fail, or find something else."""

    def __init__(self, *versions: str, **changes: Any) -> None:
        self.snapshot = _snapshot(*versions, **changes)
        self.after: Snapshot | None = None
        self.is_away = False

    async def refresh(self) -> None:
        """Read it anew."""
        if self.is_away:
            raise RegistryUnavailableError("It is away.")
        self.snapshot = self.after or self.snapshot


def _snapshot(
    *versions: str, stable: str | None = None, state: VersionState = "available", **changes: Any
) -> Snapshot:
    records = {
        name: VersionRecord(MODEL, name, DIGEST, 1, LABELS, {}, datetime.now(UTC), "a test", state)
        for name in versions
    }
    aliases = {STABLE: stable} if stable else {}
    facts: dict[str, Any] = {"canary_percent": 0, "aliases": aliases, **changes}
    model = ModelState(MODEL, 1, "salt", shadow_percent=0, limits={}, versions=records, **facts)
    return Snapshot(1, {MODEL: model})


def _report(node: str = "a", **versions: VersionReport) -> Report:
    named = {name.removeprefix("v").replace("_", "."): each for name, each in versions.items()}
    return Report(node, "http://127.0.0.1:8080", models={MODEL: named})


def _catalogue(registry: Registry, *reports: Report) -> Catalogue:
    fleet = Fleet()
    for report in reports:
        fleet.heard(report)
    return Catalogue(MODEL, registry, fleet)


def _not_asked() -> NoReturn:
    raise AssertionError("an identity was asked for in vain")


def _named(name: str) -> Callable[[], str]:
    return lambda: name


def test_the_clients_of_the_traffic_are_noted() -> None:
    """Also without a canary, as the next one will have them; a named version costs no identity."""
    clients = RecentClients()
    catalogue = Catalogue(MODEL, Registry("1.0", "2.0", stable="2.0"), Fleet(), clients)
    assert catalogue.resolve(None, _named("a client")) == "2.0"
    assert catalogue.resolve("1.0", _not_asked) == "1.0"
    assert clients.identities() == ["a client"]


def test_a_canary_gets_the_clients_on_its_side() -> None:
    """Names of versions and aliases go before the policy."""
    registry = Registry(
        "1.0", "2.0", aliases={STABLE: "1.0", CANARY: "2.0", "beta": "2.0"}, canary_percent=40
    )
    ready = VersionReport(DIGEST, "ready", 1, 1)
    catalogue = _catalogue(registry, _report(v1_0=ready, v2_0=ready))
    clients = [f"client {number}" for number in range(200)]
    sides = [catalogue.resolve(None, _named(client)) for client in clients]
    assert 50 <= sides.count("2.0") <= 110
    assert sides == [catalogue.resolve(None, _named(client)) for client in clients]
    assert catalogue.resolve("beta", _not_asked) == "2.0"
    assert catalogue.named(None) == "1.0"


def test_a_canary_that_is_ready_nowhere_gets_no_client() -> None:
    """Stable answers in its place; a request that names the canary gets what it asked for."""
    registry = Registry("1.0", "2.0", aliases={STABLE: "1.0", CANARY: "2.0"}, canary_percent=100)
    ready, loading = VersionReport(DIGEST, "ready", 1, 1), VersionReport(DIGEST, "loading", 0, 1)
    catalogue = _catalogue(registry, _report(v1_0=ready, v2_0=loading))
    assert catalogue.resolve(None, _named("a client")) == "1.0"
    assert catalogue.resolve(CANARY, _not_asked) == "2.0"


def test_a_change_of_the_registry_is_seen_at_once() -> None:
    """Nothing is cached beside the snapshot."""
    registry = Registry("1.0", stable="1.0")
    catalogue = _catalogue(registry)
    assert catalogue.named(None) == "1.0"
    registry.snapshot = _snapshot("1.0", "2.0", stable="2.0")
    assert (catalogue.named(None), catalogue.find("2.0").workers) == ("2.0", 0)


def test_versions_have_the_workers_of_all_nodes() -> None:
    """What a node still loads is wanted, and not ready; loaded_at is the oldest one's."""
    early, late = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"
    catalogue = _catalogue(
        Registry("1.0", "2.0", stable="1.0"),
        _report("a", v1_0=VersionReport(DIGEST, "ready", 2, 2, loaded_at=late)),
        _report("b", v1_0=VersionReport(DIGEST, "ready", 1, 2, loaded_at=early)),
        _report("c", v1_0=VersionReport(DIGEST, "loading", 0, 2)),
    )
    status = catalogue.status()
    one, two = status.versions
    assert (one.version, one.workers, one.wanted) == ("1.0", 3, 6)
    assert one.loaded_at == datetime.fromisoformat(early)
    assert (two.version, two.workers, two.loaded_at) == ("2.0", 0, None)
    assert (status.default_version, status) == ("1.0", catalogue.known)


def test_a_moment_that_is_none_is_left_out() -> None:
    """A node may report whatever it likes."""
    report = _report(v1_0=VersionReport(DIGEST, "ready", 1, 1, loaded_at="noon"))
    assert _catalogue(Registry("1.0", stable="1.0"), report).find("1.0").loaded_at is None


def test_retired_versions_are_not_listed() -> None:
    """Nor is an alias that leads to one the default."""
    status = _catalogue(Registry("1.0", stable="1.0", state="retired"), _report()).status()
    assert (status.default_version, status.versions) == (None, ())


def test_without_reports_nothing_is_known_to_be_served() -> None:
    """Names and labels still are."""
    catalogue = _catalogue(Registry("1.0", stable="1.0"))
    with pytest.raises(ModelUnavailableError, match="No inference server reports"):
        catalogue.status()
    assert catalogue.known is None
    assert (catalogue.named(None), catalogue.labels("1.0")) == ("1.0", LABELS)


def test_a_registry_that_was_never_read_is_unavailable() -> None:
    """503 instead of 404: the settings name the model, not the client."""
    registry = Registry()
    registry.snapshot = EMPTY
    catalogue = _catalogue(registry)
    with pytest.raises(ModelUnavailableError, match="has not been read yet"):
        catalogue.status()
    assert catalogue.known is None


@pytest.mark.parametrize("snapshot", [Snapshot(3, {}), _snapshot()])
def test_a_model_without_versions_is_unavailable(snapshot: Snapshot) -> None:
    """The message names the command that adds one."""
    registry = Registry()
    registry.snapshot = snapshot
    with pytest.raises(ModelUnavailableError, match="segserve versions add"):
        _catalogue(registry).named(None)


def test_without_a_stable_version_only_named_ones_answer() -> None:
    """The default version is never guessed."""
    catalogue = _catalogue(Registry("1.0"))
    with pytest.raises(ModelUnavailableError, match="stable"):
        catalogue.resolve(None, _named("a client"))
    assert catalogue.resolve("1.0", _not_asked) == "1.0"


def test_labels_and_facts_are_those_of_the_archive() -> None:
    """They need no worker, and are there before any node has reported."""
    catalogue = _catalogue(Registry("1.0", stable="1.0"))
    assert catalogue.labels("1.0") == catalogue.facts("1.0").labels == LABELS
    assert catalogue.remembered_labels("1.0") == LABELS
    assert catalogue.remembered_labels("9.9") == {}
    assert (catalogue.digest(MODEL, "1.0"), catalogue.digest(MODEL, "9.9")) == (DIGEST, "")
    assert catalogue.digest("other", "1.0") == ""


def test_facts_that_are_no_tables_are_left_out() -> None:
    """Archives may be of any origin."""
    torchserve = TorchServeDouble()
    torchserve.about = {"spec": {"engine": "openvino"}, "card": "a card"}
    follower = ServedFollower(torchserve, Database("sqlite:///unused"))
    catalogue = Catalogue(MODEL, follower, ServedFleet(torchserve))
    facts = catalogue.facts("1.0")
    assert (facts.spec, facts.provenance, facts.card) == ({"engine": "openvino"}, {}, {})
    assert catalogue.find("1.0").loaded_at == datetime.fromisoformat(STARTED)


@pytest.mark.parametrize("version", ["9.9", "all", "canary"])
def test_an_unknown_version_is_not_found(version: str) -> None:
    """The error lists versions and aliases; `all`, a word of TorchServe's API, is no version."""
    catalogue = _catalogue(Registry("1.0", stable="1.0"))
    for lookup in (catalogue.labels, catalogue.find, catalogue.named, catalogue.facts):
        with pytest.raises(NotFoundError, match=r"It has: 1\.0\. Aliases: stable\."):
            lookup(version)


def test_another_model_is_not_found() -> None:
    """The error names the one that there is."""
    catalogue = _catalogue(Registry("1.0", stable="1.0"))
    catalogue.check_model(None)
    catalogue.check_model(MODEL)
    with pytest.raises(NotFoundError, match=f"There is: {MODEL}"):
        catalogue.check_model("other")


@pytest.mark.parametrize(
    ("workers", "expected"), [(1, OverloadedError), (0, ModelUnavailableError)]
)
def test_a_refusal_is_explained_by_the_workers(workers: int, expected: type[Exception]) -> None:
    """TorchServe's 503 means a full queue with workers, and unavailability without."""
    report = _report(v1_0=VersionReport(DIGEST, "ready", workers, 1))
    assert type(_catalogue(Registry("1.0"), report).refusal("1.0")) is expected


def test_what_keeps_a_version_from_being_ready_is_told() -> None:
    """Each node's reason, or that none has reported it."""
    reasons = [
        _report("a", v1_0=VersionReport(DIGEST, "failed", reason="no memory")),
        _report("b", v1_0=VersionReport(DIGEST, "failed", reason="no disk")),
        _report("c", v1_0=VersionReport(DIGEST, "loading")),
    ]
    catalogue = _catalogue(Registry("1.0"), *reasons)
    assert catalogue.why_not_ready("1.0") == " a: no memory. b: no disk."
    assert catalogue.why_not_ready("2.0") == " No inference server reports that it has it."


async def _again(
    catalogue: Catalogue, version: str, workers: int, wanted: str | None = None
) -> str | None:
    crashed = WorkerDiedError("It stopped.")
    return await catalogue.resolve_again(wanted, _named("someone"), version, workers, crashed)


async def test_a_lost_job_of_a_version_that_another_replaced_goes_there() -> None:
    """It is looked up in a registry that is read after the job was lost."""
    registry = Registry("1.0", "2.0", stable="1.0")
    catalogue = _catalogue(registry, _report())
    sent = catalogue.wanted("1.0")
    assert await _again(catalogue, "1.0", sent) is None
    registry.after = _snapshot("1.0", "2.0", stable="2.0")
    assert await _again(catalogue, "1.0", sent) == "2.0"


async def test_a_lost_job_of_a_canary_stays_lost_while_its_version_is_the_canary() -> None:
    """An image that crashes a worker would crash a second one; without the canary it goes on."""
    aliases = {STABLE: "1.0", CANARY: "2.0"}
    registry = Registry("1.0", "2.0", aliases=aliases, canary_percent=100)
    fleet = Fleet()
    catalogue = Catalogue(MODEL, registry, fleet)
    fleet.heard(_report(v2_0=VersionReport(DIGEST, "ready", 1, 1)))
    sent = catalogue.wanted("2.0")
    assert catalogue.resolve(None, _named("someone")) == "2.0"
    assert await _again(catalogue, "2.0", sent) is None
    fleet.heard(_report(v2_0=VersionReport(DIGEST, "loading", 0, 1)))
    assert catalogue.resolve(None, _named("someone")) == "1.0"
    assert await _again(catalogue, "2.0", sent) is None
    refused = NoWorkerFreeError("It was not computed.")
    someone = _named("someone")
    assert await catalogue.resolve_again(None, someone, "2.0", sent, refused) == "1.0"
    registry.after = _snapshot("1.0", "2.0", aliases=aliases)
    assert await _again(catalogue, "2.0", sent) == "1.0"


async def test_a_lost_job_of_an_alias_goes_where_that_leads_now() -> None:
    """One that names a version stays with it."""
    registry = Registry("1.0", "2.0", aliases={STABLE: "1.0", "next": "1.0"})
    catalogue = _catalogue(registry, _report())
    sent = catalogue.wanted("1.0")
    assert await _again(catalogue, "1.0", sent, "next") is None
    registry.after = _snapshot("1.0", "2.0", aliases={STABLE: "2.0", "next": "2.0"})
    assert await _again(catalogue, "1.0", sent, "next") == "2.0"
    assert await _again(catalogue, "1.0", sent, "1.0") is None


async def test_a_lost_job_stays_lost_where_nothing_is_stable() -> None:
    """The alias names a version that is gone: the error of the job is what the client is told."""
    registry = Registry("1.0", stable="1.0")
    catalogue = _catalogue(registry, _report())
    sent = catalogue.wanted("1.0")
    registry.after = _snapshot("2.0", stable="1.0")
    assert await _again(catalogue, "1.0", sent) is None


async def test_fewer_workers_than_when_a_job_was_sent_are_noticed() -> None:
    """A worker that crashed is still wanted, and takes nothing away."""
    registry, fleet = Registry("1.0", stable="1.0"), Fleet()
    catalogue = Catalogue(MODEL, registry, fleet)
    fleet.heard(_report(v1_0=VersionReport(DIGEST, "ready", 2, 2)))
    sent = catalogue.wanted("1.0")
    fleet.heard(_report(v1_0=VersionReport(DIGEST, "ready", 1, 2)))
    assert await _again(catalogue, "1.0", sent) is None
    fleet.heard(_report(v1_0=VersionReport(DIGEST, "ready", 1, 1)))
    assert await _again(catalogue, "1.0", sent) == "1.0"
    assert await _again(catalogue, "1.0", sent, "1.0") is None
    assert await _again(catalogue, "1.0", catalogue.wanted("1.0")) is None
    assert await _again(catalogue, "1.0", 0) is None


async def test_with_a_registry_that_is_away_a_lost_job_stays_lost() -> None:
    """The error of the lost job is what the client is told."""
    registry = Registry("1.0", stable="1.0")
    catalogue = _catalogue(registry, _report())
    sent = catalogue.wanted("1.0")
    registry.is_away, registry.after = True, _snapshot("2.0", stable="2.0")
    assert await _again(catalogue, "1.0", sent) is None
