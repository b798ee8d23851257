"""The audit log."""

import pytest
from sqlalchemy import Connection

from gateway.errors import InvalidRequestError
from gateway.registry import audit
from gateway.registry.records import Change
from tests.unit.gateway.registry.conftest import BOSS


def test_the_audit_log_is_read_page_by_page(connection: Connection) -> None:
    """The newest first, of all or of one model; the last id of a page leads to the next."""
    for number in range(5):
        model = "even" if number % 2 == 0 else None
        audit.append(connection, BOSS, "test", model, str(number), before={"n": number})
    first = audit.entries(connection, limit=2)
    second = audit.entries(connection, limit=2, before=first[-1].id)
    assert [each.subject for each in first + second] == ["4", "3", "2", "1"]
    assert [each.subject for each in audit.entries(connection, "even")] == ["4", "2", "0"]
    assert first[0].before == {"n": 4}
    assert first[0].after is None


def test_the_log_of_a_model_has_what_concerns_all_of_them(connection: Connection) -> None:
    """A node that is forgotten, and a restored database, but neither keys nor other models."""
    for action in ("key.add", "node.forget", "restore"):
        audit.append(connection, BOSS, action, None, "subject")
    audit.append(connection, BOSS, "alias.set", "other", "next")
    found = [each.action for each in audit.entries(connection, "deeplabv3")]
    assert found == ["restore", "node.forget"]


def test_a_reason_has_a_limit(connection: Connection) -> None:
    """A reason is a sentence, not a file."""
    audit.append(connection, Change("boss", "x" * 1000), "test", None, "subject")
    with pytest.raises(InvalidRequestError, match="1000"):
        audit.append(connection, Change("boss", "x" * 1001), "test", None, "subject")
