"""Sums of shadow comparisons."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.registry.database import Database
from gateway.registry.measurements import shadow_hours
from gateway.registry.records import ShadowHour
from tests.unit.gateway.registry.conftest import MODEL

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def shadow(minute: int, **sums: Any) -> ShadowHour:
    """Sums of one flush."""
    return replace(ShadowHour(MODEL, "1.0", "2.0", NOON + timedelta(minutes=minute)), **sums)


def test_sums_are_added_hour_by_hour(connection: Connection) -> None:
    """Numbers, latencies and each class's intersection and union."""
    flushes = [
        replace(shadow(1, images=2, pixels=100, agreeing=90, stable_ms=1.5), classes={0: (9, 10)}),
        replace(
            shadow(59, images=1, failed=1, pixels=50, agreeing=50, shadow_ms=2.5),
            classes={0: (1, 1), 15: (0, 7)},
        ),
        shadow(61, images=5),
    ]
    for each in flushes:
        shadow_hours.add(connection, each)
    later, first = shadow_hours.listed(connection, MODEL, since=NOON)
    assert (later.hour, later.images, later.classes) == (NOON + timedelta(hours=1), 5, {})
    assert first == replace(
        shadow(0, images=3, failed=1, pixels=150, agreeing=140, stable_ms=1.5, shadow_ms=2.5),
        classes={0: (10, 11), 15: (0, 7)},
    )
    assert shadow_hours.listed(connection, MODEL, since=NOON + timedelta(hours=2)) == []


def test_gateways_that_add_at_once_lose_nothing(database: Database) -> None:
    """The first of an hour too."""

    def flush(_: int) -> None:
        with database.writing(announced=False) as connection:
            shadow_hours.add(connection, replace(shadow(0, images=1), classes={15: (1, 2)}))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(flush, range(30)))
    with database.reading() as connection:
        (hour,) = shadow_hours.listed(connection, MODEL, since=NOON)
    assert (hour.images, hour.classes) == (30, {15: (30, 60)})
