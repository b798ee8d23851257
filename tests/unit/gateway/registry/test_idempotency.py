"""Idempotency keys."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from gateway.errors import InvalidRequestError
from gateway.registry import idempotency
from gateway.registry.idempotency import Answer, Request
from gateway.registry.storage import tables

REQUEST = Request("key-1", "0f3a2b1c4d5e", "/v1/admin/keys", "d" * 64)


def test_a_repeated_request_has_its_first_answer(connection: Connection) -> None:
    """The key of one sender means nothing for another."""
    assert idempotency.answer_to(connection, REQUEST) is None
    idempotency.keep(connection, REQUEST, Answer(201, '{"é": 1}'))
    assert idempotency.answer_to(connection, REQUEST) == Answer(201, '{"é": 1}')
    other = Request(REQUEST.key, "another", REQUEST.route, REQUEST.digest)
    assert idempotency.answer_to(connection, other) is None


@pytest.mark.parametrize(("route", "digest"), [("/v1/other", "d" * 64), (REQUEST.route, "e" * 64)])
def test_a_key_is_for_one_request(connection: Connection, route: str, digest: str) -> None:
    """Another route or another body with the same key is refused."""
    idempotency.keep(connection, REQUEST, Answer(201, "{}"))
    with pytest.raises(InvalidRequestError, match="Idempotency-Key"):
        idempotency.answer_to(connection, Request(REQUEST.key, REQUEST.principal, route, digest))


def test_after_a_day_a_key_is_forgotten(connection: Connection) -> None:
    """It can be used again; its row goes with the next answer."""
    idempotency.keep(connection, REQUEST, Answer(201, "{}"))
    yesterday = datetime.now(UTC) - timedelta(days=1, seconds=1)
    connection.execute(tables.idempotency.update().values(at=yesterday))
    assert idempotency.answer_to(connection, REQUEST) is None
    idempotency.keep(connection, REQUEST, Answer(202, "{}"))
    assert idempotency.answer_to(connection, REQUEST) == Answer(202, "{}")
