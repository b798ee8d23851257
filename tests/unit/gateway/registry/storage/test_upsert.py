"""Rows that are inserted or replaced."""

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.registry.storage.tables import idempotency, model
from gateway.registry.storage.upsert import insert_if_missing, upsert

ROW = {"name": "a", "etag": 1, "salt": "s", "canary_percent": 0, "shadow_percent": 0, "limits": {}}


def test_a_row_is_inserted_then_replaced(connection: Connection) -> None:
    """Only columns that are given change."""
    upsert(connection, model, ROW)
    upsert(connection, model, ROW | {"etag": 2, "limits": {"ä": 1}})
    assert [dict(row) for row in connection.execute(sa.select(model)).mappings()] == [
        ROW | {"etag": 2, "limits": {"ä": 1}}
    ]


def test_a_row_that_is_there_stays(connection: Connection) -> None:
    """The first one counts."""
    insert_if_missing(connection, model, ROW)
    insert_if_missing(connection, model, ROW | {"etag": 9})
    assert connection.execute(sa.select(model.c.etag)).scalars().all() == [1]
    assert connection.execute(sa.select(idempotency)).all() == []
