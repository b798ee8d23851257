"""Versions: immutable but for their state."""

import pytest
from sqlalchemy import Connection

from gateway.errors import ConflictError, NotFoundError, PreconditionFailedError
from gateway.registry import audit, models, policies, versions
from gateway.registry.records import STABLE, Change, Placement
from tests.unit.gateway.registry.conftest import BOSS, MODEL, add, record


def test_a_version_is_read_as_it_was_added(connection: Connection) -> None:
    """All fields come back: class ids as numbers, moments in UTC, JSON as it was."""
    assert versions.add(connection, record("1.0"), "boss") == record("1.0")
    assert versions.get(connection, MODEL, "1.0") == record("1.0")
    assert versions.listed(connection) == [record("1.0")]
    assert versions.listed(connection, "other") == []


def test_the_same_bytes_again_change_nothing(connection: Connection) -> None:
    """An upload that is repeated after a lost answer succeeds."""
    add(connection, "1.0")
    etag, entries = models.etag(connection, MODEL), audit.entries(connection)
    assert versions.add(connection, record("1.0"), "deputy") == record("1.0")
    assert (models.etag(connection, MODEL), audit.entries(connection)) == (etag, entries)


def test_other_bytes_under_the_same_name_are_a_conflict(connection: Connection) -> None:
    """A version never becomes another one."""
    add(connection, "1.0")
    with pytest.raises(ConflictError, match="other bytes"):
        versions.add(connection, record("1.0", sha256="b" * 64), "boss")
    assert versions.get(connection, MODEL, "1.0") == record("1.0")


def test_no_version_takes_the_name_of_an_alias(connection: Connection) -> None:
    """However it comes: requests could not tell the two apart."""
    add(connection, "1.0")
    policies.set_alias(connection, MODEL, "next", "1.0", BOSS)
    with pytest.raises(ConflictError, match="next is an alias"):
        versions.add(connection, record("next"), "a start")
    assert [each.version for each in versions.listed(connection)] == ["1.0"]


def test_a_retired_version_loses_its_places_and_can_come_back(connection: Connection) -> None:
    """Its record stays; the same archive makes it available again."""
    add(connection, "1.0")
    policies.place(connection, Placement(MODEL, "1.0", "*", 2), BOSS)
    assert versions.uses(connection, "a" * 64)
    versions.retire(connection, MODEL, "1.0", BOSS)
    assert versions.get(connection, MODEL, "1.0").state == "retired"
    assert not versions.uses(connection, "a" * 64)
    with pytest.raises(NotFoundError):
        policies.unplace(connection, MODEL, "1.0", "*", BOSS)
    with pytest.raises(ConflictError, match="retired"):
        versions.retire(connection, MODEL, "1.0", BOSS)
    with pytest.raises(ConflictError, match="retired"):
        policies.set_alias(connection, MODEL, STABLE, "1.0", BOSS)
    assert versions.add(connection, record("1.0"), "boss").state == "available"
    assert versions.available(connection, MODEL, "1.0") == record("1.0")


def test_a_version_with_an_alias_is_not_retired(connection: Connection) -> None:
    """The line names the aliases."""
    add(connection, "1.0")
    policies.set_alias(connection, MODEL, STABLE, "1.0", BOSS)
    policies.set_alias(connection, MODEL, "field", "1.0", BOSS)
    with pytest.raises(ConflictError, match="field and stable"):
        versions.retire(connection, MODEL, "1.0", BOSS)


def test_of_two_changes_of_one_state_the_second_is_refused(connection: Connection) -> None:
    """If-Match: the etag grows with each change of a version's state."""
    add(connection, "1.0", "2.0")
    seen = Change("boss", if_match=(models.etag(connection, MODEL),))
    versions.retire(connection, MODEL, "1.0", seen)
    with pytest.raises(PreconditionFailedError, match="changed meanwhile"):
        versions.retire(connection, MODEL, "2.0", seen)


def test_what_is_not_there_is_not_found(connection: Connection) -> None:
    """Neither a version of a model, nor the model."""
    add(connection, "1.0")
    with pytest.raises(NotFoundError, match=r"no version 9\.9"):
        versions.get(connection, MODEL, "9.9")
    with pytest.raises(NotFoundError, match="no model other"):
        versions.retire(connection, "other", "1.0", BOSS)


def test_each_change_is_in_the_audit_log(connection: Connection) -> None:
    """Who, what, before, after and why."""
    add(connection, "1.0")
    versions.retire(connection, MODEL, "1.0", Change("deputy", "too slow"))
    retired, added = audit.entries(connection, MODEL)
    assert (added.actor, added.action, added.subject) == ("boss", "version.add", "1.0")
    assert (added.before, added.after["state"]) == (None, "available")
    assert (retired.actor, retired.action, retired.why) == ("deputy", "version.retire", "too slow")
    assert (retired.before, retired.after["state"]) == ({"state": "available"}, "retired")
    assert retired.at.tzinfo is not None


def test_the_bytes_that_a_version_had_are_known(connection: Connection) -> None:
    """By the audit log; of this version alone."""
    add(connection, "1.0")
    versions.replace_seed(connection, record("1.0", "b" * 64), BOSS)
    versions.replace_seed(connection, record("1.0", "c" * 64), BOSS)
    versions.add(connection, record("2.0", "d" * 64), "boss")
    known = {each: versions.had(connection, MODEL, "1.0", each * 64) for each in "abcd"}
    assert known == {"a": True, "b": True, "c": True, "d": False}
