"""Sums per hour and pair of versions, kept now and then, never lost by a failure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from gateway.masks.agreement import Agreement
from gateway.registry.records import ShadowHour
from gateway.segmentation.shadow.sums import HourlySums, Pair

pytestmark = pytest.mark.anyio

PAIR = Pair("deeplabv3", "1.0", "2.0")
HOUR = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Day:
    """A day that tests move on, and sums of it; a registry that may be away."""

    def __init__(self) -> None:
        self.now = HOUR + timedelta(minutes=30)
        self.sums = HourlySums(lambda: self.now)
        self.kept: list[ShadowHour] = []
        self.is_away = False

    async def keep(self, rows: Sequence[ShadowHour]) -> None:
        """Keep sums, or fail."""
        if self.is_away:
            raise ConnectionError
        self.kept += rows

    def compare(self, pair: Pair = PAIR) -> None:
        """Add a comparison of four pixels."""
        self.sums.compared(pair, Agreement(4, 3, {0: (1, 2), 1: (2, 2)}), 0.02, 0.03)


async def test_comparisons_of_an_hour_are_one_row() -> None:
    """With all sums, and failures beside them."""
    day = Day()
    for _ in range(3):
        day.compare()
    day.sums.failed(PAIR)
    await day.sums.flush(day.keep)
    (row,) = day.kept
    assert (row.model, row.stable, row.shadow, row.hour) == ("deeplabv3", "1.0", "2.0", HOUR)
    assert (row.images, row.failed, row.pixels, row.agreeing) == (3, 1, 12, 9)
    assert row.classes == {0: (3, 6), 1: (6, 6)}
    assert row.stable_ms == pytest.approx(60)
    assert row.shadow_ms == pytest.approx(90)


async def test_hours_and_pairs_are_apart() -> None:
    """Each has its row."""
    day = Day()
    day.compare()
    day.compare(Pair("deeplabv3", "1.0", "3.0"))
    day.now += timedelta(hours=1)
    day.compare()
    await day.sums.flush(day.keep)
    assert {(row.shadow, row.hour.hour, row.images) for row in day.kept} == {
        ("2.0", 12, 1),
        ("3.0", 12, 1),
        ("2.0", 13, 1),
    }


async def test_what_was_kept_is_not_kept_twice() -> None:
    """And nothing is kept where nothing was compared."""
    day = Day()
    day.compare()
    for _ in range(2):
        await day.sums.flush(day.keep)
    assert sum(row.images for row in day.kept) == 1


async def test_a_failure_to_keep_loses_nothing() -> None:
    """What comes meanwhile is added."""
    day = Day()
    day.is_away = True
    for _ in range(3):
        day.compare()
        with pytest.raises(ConnectionError):
            await day.sums.flush(day.keep)
    day.is_away = False
    await day.sums.flush(day.keep)
    assert [row.images for row in day.kept] == [3]


async def test_a_registry_that_is_away_for_months_costs_no_memory() -> None:
    """The oldest hours are given up."""
    day = Day()
    day.is_away = True
    for _ in range(1100):
        day.now += timedelta(hours=1)
        day.compare()
    with pytest.raises(ConnectionError):
        await day.sums.flush(day.keep)
    day.is_away = False
    await day.sums.flush(day.keep)
    assert len(day.kept) == 1000
    assert max(row.hour for row in day.kept) == day.now.replace(minute=0)
