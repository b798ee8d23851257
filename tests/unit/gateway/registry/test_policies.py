"""Traffic policies: aliases, shares, placement, promotion and roll-back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from gateway.errors import (
    ConflictError,
    GatewayError,
    InvalidRequestError,
    NotFoundError,
    PreconditionFailedError,
)
from gateway.registry import audit, models, nodes, policies, versions
from gateway.registry.database import Database
from gateway.registry.records import CANARY, SHADOW, STABLE, Change, NodeRecord, Placement
from tests.unit.gateway.registry.conftest import BOSS, MODEL, add


@pytest.fixture(autouse=True)
def three_versions(database: Database) -> None:
    """1.0 is stable; 2.0 and 3.0 are there."""
    with database.writing() as connection:
        add(connection, "1.0", "2.0", "3.0")
        policies.set_alias(connection, MODEL, STABLE, "1.0", BOSS)


def test_an_alias_names_a_version(connection: Connection) -> None:
    """Aliases can be set, moved and removed."""
    policies.set_alias(connection, MODEL, "field", "1.0", BOSS)
    policy = policies.set_alias(connection, MODEL, "field", "2.0", BOSS)
    assert policy.aliases == {"field": "2.0", STABLE: "1.0"}
    assert policies.remove_alias(connection, MODEL, "field", BOSS).aliases == {STABLE: "1.0"}


def test_stable_stays(connection: Connection) -> None:
    """There is always a version for requests that name none."""
    with pytest.raises(ConflictError):
        policies.remove_alias(connection, MODEL, STABLE, BOSS)


def test_shares_need_their_aliases(connection: Connection) -> None:
    """A share of the traffic goes to a version; without the alias the share goes too."""
    with pytest.raises(ConflictError, match="no canary"):
        policies.set_traffic(connection, MODEL, BOSS, canary_percent=5)
    policies.set_alias(connection, MODEL, CANARY, "2.0", BOSS)
    policies.set_alias(connection, MODEL, SHADOW, "3.0", BOSS)
    policies.set_traffic(connection, MODEL, BOSS, canary_percent=5, limits={"error_rate": 0.1})
    policy = policies.set_traffic(connection, MODEL, BOSS, shadow_percent=100)
    assert (policy.canary_percent, policy.shadow_percent) == (5, 100)
    assert policy.limits == {"error_rate": 0.1}
    policy = policies.remove_alias(connection, MODEL, CANARY, BOSS)
    assert (policy.canary_percent, policy.shadow_percent) == (0, 100)


def test_another_canary_has_another_salt(connection: Connection) -> None:
    """Clients keep their side while the share grows; another version is tried by others."""
    salts = []
    for version, percent in (("2.0", 5), ("2.0", 50), ("3.0", 5)):
        policies.set_alias(connection, MODEL, CANARY, version, BOSS)
        salts.append(policies.set_traffic(connection, MODEL, BOSS, canary_percent=percent).salt)
    assert salts[0] == salts[1] != salts[2]


def test_a_canary_that_begins_again_has_another_salt(connection: Connection) -> None:
    """The one that the change brings, if it brings one; a larger share keeps it."""
    policies.set_alias(connection, MODEL, CANARY, "2.0", replace(BOSS, salt="a"))
    assert policies.read(connection, MODEL).salt == "a"
    salts = [
        policies.set_traffic(
            connection, MODEL, replace(BOSS, salt=salt), canary_percent=percent
        ).salt
        for salt, percent in (("b", 5), ("c", 50), ("d", 0), ("e", 5))
    ]
    assert salts == ["b", "b", "b", "e"]


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_share_is_a_percentage(connection: Connection, percent: int) -> None:
    """Other numbers are refused."""
    policies.set_alias(connection, MODEL, CANARY, "2.0", BOSS)
    with pytest.raises(InvalidRequestError, match="0 to 100"):
        policies.set_traffic(connection, MODEL, BOSS, canary_percent=percent)


def test_placements_are_set_and_removed(connection: Connection) -> None:
    """Workers on a node, or on all; 0 is a number too."""
    policies.place(connection, Placement(MODEL, "1.0", "*", 2), BOSS)
    policies.place(connection, Placement(MODEL, "1.0", "one", 0), BOSS)
    policies.place(connection, Placement(MODEL, "1.0", "*", 4), BOSS)
    policies.unplace(connection, MODEL, "1.0", "one", BOSS)
    with pytest.raises(NotFoundError):
        policies.unplace(connection, MODEL, "1.0", "one", BOSS)
    with pytest.raises(InvalidRequestError):
        policies.place(connection, Placement(MODEL, "1.0", "*", -1), BOSS)
    changes = [(each.action, each.before, each.after) for each in audit.entries(connection)[:4]]
    assert changes == [
        ("unplace", 0, None),
        ("place", 2, 4),
        ("place", None, 0),
        ("place", None, 2),
    ]


def _heard(connection: Connection, *names: str) -> None:
    for name in names:
        nodes.heard(connection, NodeRecord(name, "http://node", datetime.now(UTC), {}))


@pytest.mark.parametrize("known", [(), ("one", "two")])
def test_the_stable_version_keeps_a_worker(connection: Connection, known: tuple[str, ...]) -> None:
    """On some node: the last one is not scaled to 0, nor its placement removed."""
    _heard(connection, *known)
    needs = pytest.raises(ConflictError, match="is stable and needs at least 1 worker")
    with needs:
        policies.place(connection, Placement(MODEL, "1.0", "*", 0), BOSS)
    policies.unplace(connection, MODEL, "1.0", "*", BOSS)  # the refused change is not undone here
    policies.place(connection, Placement(MODEL, "1.0", "two", 1), BOSS)
    policies.place(connection, Placement(MODEL, "1.0", "*", 0), BOSS)
    with needs:
        policies.unplace(connection, MODEL, "1.0", "two", BOSS)
    policies.place(connection, Placement(MODEL, "2.0", "*", 0), BOSS)


def test_the_stable_version_keeps_a_worker_on_a_node_that_is_known(connection: Connection) -> None:
    """Each has its own number; a node that was never heard has none."""
    _heard(connection, "one", "two")
    policies.place(connection, Placement(MODEL, "1.0", "one", 0), BOSS)
    with pytest.raises(ConflictError, match="Scale it up on another node first"):
        policies.place(connection, Placement(MODEL, "1.0", "two", 0), BOSS)


CHOICES: list[Callable[[Connection], object]] = [
    lambda connection: policies.set_alias(connection, MODEL, STABLE, "2.0", BOSS),
    lambda connection: policies.promote(connection, MODEL, "2.0", BOSS),
    lambda connection: policies.roll_back(connection, MODEL, BOSS),
]


@pytest.mark.parametrize("choose", CHOICES, ids=["alias", "promote", "rollback"])
def test_a_version_without_workers_does_not_become_stable(
    database: Database, choose: Callable[[Connection], object]
) -> None:
    """Every request would fail; the line says what to do first."""
    with database.writing() as connection:
        policies.promote(connection, MODEL, "2.0", BOSS)
        policies.promote(connection, MODEL, "1.0", BOSS)
        policies.place(connection, Placement(MODEL, "2.0", "*", 0), BOSS)
    with (
        pytest.raises(
            ConflictError, match=r"scale it first, with `segserve versions scale 2\.0 2`"
        ),
        database.writing() as connection,
    ):
        choose(connection)
    with database.writing() as connection:
        assert policies.read(connection, MODEL).aliases[STABLE] == "1.0"
        policies.set_alias(connection, MODEL, CANARY, "2.0", BOSS)
        policies.place(connection, Placement(MODEL, "2.0", "one", 1), BOSS)
        choose(connection)
        assert policies.read(connection, MODEL).aliases[STABLE] == "2.0"


def test_a_promoted_canary_is_stable_and_nothing_else(connection: Connection) -> None:
    """Its share ends; another shadow goes on."""
    policies.set_alias(connection, MODEL, CANARY, "2.0", BOSS)
    policies.set_alias(connection, MODEL, SHADOW, "3.0", BOSS)
    policies.set_traffic(connection, MODEL, BOSS, canary_percent=50, shadow_percent=10)
    policy = policies.promote(connection, MODEL, "2.0", Change("boss", "better"))
    assert policy.aliases == {STABLE: "2.0", SHADOW: "3.0"}
    assert (policy.canary_percent, policy.shadow_percent) == (0, 10)
    (entry,) = audit.entries(connection, MODEL, limit=1)
    assert (entry.action, entry.before, entry.after, entry.why) == (
        "promote",
        "1.0",
        "2.0",
        "better",
    )


def test_a_roll_back_leads_to_the_stable_version_before(connection: Connection) -> None:
    """Again and again, to the first one; never to what was rolled back, nor to a retired one."""
    policies.promote(connection, MODEL, "2.0", BOSS)
    policies.promote(connection, MODEL, "3.0", BOSS)
    assert policies.roll_back(connection, MODEL, BOSS).aliases[STABLE] == "2.0"
    assert policies.roll_back(connection, MODEL, BOSS).aliases[STABLE] == "1.0"
    with pytest.raises(ConflictError, match="no former"):
        policies.roll_back(connection, MODEL, BOSS)
    policies.promote(connection, MODEL, "3.0", BOSS)
    policies.promote(connection, MODEL, "2.0", BOSS)
    versions.retire(connection, MODEL, "3.0", BOSS)
    assert policies.roll_back(connection, MODEL, BOSS).aliases[STABLE] == "1.0"


CHANGES: list[Callable[[Connection, Change], object]] = [
    lambda connection, change: policies.set_alias(connection, MODEL, "field", "2.0", change),
    lambda connection, change: policies.set_traffic(connection, MODEL, change, limits={}),
    lambda connection, change: policies.place(connection, Placement(MODEL, "1.0", "*", 1), change),
    lambda connection, change: policies.promote(connection, MODEL, "2.0", change),
    lambda connection, change: policies.roll_back(connection, MODEL, change),
    lambda connection, change: policies.unplace(connection, MODEL, "1.0", "*", change),
    lambda connection, change: policies.remove_alias(connection, MODEL, "field", change),
    lambda connection, change: versions.retire(connection, MODEL, "2.0", change),
]


def test_each_change_has_another_etag_and_an_entry(connection: Connection) -> None:
    """If-Match with the etag of before passes once, then it is 412."""
    for change in CHANGES:
        seen = models.etag(connection, MODEL)
        change(connection, Change("boss", if_match=(seen,)))
        assert models.etag(connection, MODEL) == seen + 1
        assert len(audit.entries(connection, MODEL)) == seen + 1
        for other in CHANGES:
            with pytest.raises(PreconditionFailedError):
                other(connection, Change("boss", if_match=(seen,)))


def test_an_unknown_model_is_not_found(connection: Connection) -> None:
    """Every change and the policy itself are 404."""
    with pytest.raises(NotFoundError):
        policies.read(connection, "other")
    with pytest.raises(NotFoundError):
        policies.set_alias(connection, "other", STABLE, "1.0", BOSS)
    with pytest.raises(NotFoundError, match=r"no version 9\.9"):
        policies.set_alias(connection, MODEL, STABLE, "9.9", BOSS)


def test_of_two_admins_at_once_the_second_gets_412(database: Database) -> None:
    """Whatever the order of their transactions, one change is made, and the other refused."""
    with database.reading() as connection:
        seen = models.etag(connection, MODEL)

    def set_alias(version: str) -> int:
        try:
            with database.writing() as writer:
                change = Change("boss", if_match=(seen,))
                policies.set_alias(writer, MODEL, STABLE, version, change)
        except GatewayError as exc:
            return exc.status
        return 200

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(set_alias, ["2.0", "3.0"])) == [200, 412]
    with database.reading() as connection:
        assert models.etag(connection, MODEL) == seen + 1


def test_a_version_that_is_stable_again_is_no_shadow(connection: Connection) -> None:
    """As after a promotion: compared with itself it would say nothing."""
    for version in ("1.0", "2.0"):
        policies.promote(connection, MODEL, version, BOSS)
    policies.set_alias(connection, MODEL, SHADOW, "1.0", BOSS)
    policies.set_traffic(connection, MODEL, BOSS, shadow_percent=50)
    policy = policies.roll_back(connection, MODEL, BOSS)
    assert policy.aliases[STABLE] == "1.0"
    assert SHADOW not in policy.aliases
    assert policy.shadow_percent == 0
