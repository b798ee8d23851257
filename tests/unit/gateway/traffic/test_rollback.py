"""The automatic roll-back: a verdict in one line, and none without enough requests."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequestError
from gateway.traffic.rollback import MOST_REQUESTS, Figures, RollbackLimits, Window, verdict

LIMITS = RollbackLimits()
STABLE = Figures(500, 0, 20.0)


@pytest.mark.parametrize(
    ("canary", "limits", "reason"),
    [
        (Figures(100, 0, 20.0), LIMITS, None),
        (Figures(100, 5, 20.0), LIMITS, None),
        (
            Figures(100, 6, 20.0),
            LIMITS,
            "6.0 % of 100 requests in 60 s failed, more than the limit of 5 %",
        ),
        (Figures(49, 49, None), LIMITS, None),
        (
            Figures(50, 50, None),
            LIMITS,
            "100.0 % of 50 requests in 60 s failed, more than the limit of 5 %",
        ),
        (Figures(100, 0, 60.0), LIMITS, None),
        (
            Figures(100, 0, 61.0),
            LIMITS,
            "the median of 100 requests in 60 s took 61 ms, more than 3 times the stable "
            "version's 20 ms",
        ),
        (
            Figures(100, 0, 51.0),
            RollbackLimits(latency_ms=50),
            "the median of 100 requests in 60 s took 51 ms, more than the limit of 50 ms",
        ),
        (Figures(100, 100, None), RollbackLimits(error_percent=None), None),
        (Figures(100, 0, 900.0), RollbackLimits(latency_ratio=None), None),
    ],
)
def test_the_verdict_has_its_reason(
    canary: Figures, limits: RollbackLimits, reason: str | None
) -> None:
    """With the figure and the limit; the limit itself is allowed."""
    assert verdict(canary, STABLE, limits) == reason


@pytest.mark.parametrize("stable", [Figures(0, 0, None), Figures(49, 0, 1.0)])
def test_an_unknown_stable_version_is_no_measure(stable: Figures) -> None:
    """It needs as many requests."""
    assert verdict(Figures(100, 0, 900.0), stable, LIMITS) is None


def test_only_the_window_counts() -> None:
    """Failures of a minute ago are forgotten."""
    window = Window()
    for second in range(100):
        window.failed(float(second))
    for second in range(100, 160):
        window.succeeded(float(second), 0.02)
    assert window.figures(159, 60) == Figures(60, 0, 20.0)
    assert window.figures(159, 90) == Figures(90, 30, 20.0)
    assert window.figures(500, 60) == Figures(0, 0, None)


@given(st.lists(st.none() | st.floats(0, 100), max_size=200))
def test_figures_are_those_of_the_requests(requests: list[float | None]) -> None:
    """Counts and an upper median."""
    window = Window()
    for index, seconds in enumerate(requests):
        if seconds is None:
            window.failed(index)
        else:
            window.succeeded(index, seconds)
    figures = window.figures(len(requests), 1e9)
    times = sorted(each for each in requests if each is not None)
    assert (figures.requests, figures.failed) == (len(requests), requests.count(None))
    if times:
        assert figures.median_ms is not None
        assert math.isclose(figures.median_ms, times[len(times) // 2] * 1e3)
    assert 0 <= figures.error_percent <= 100


def test_memory_is_bounded() -> None:
    """The last ones stand for all, and tell how long they took."""
    window = Window()
    assert window.span(5, 60) == 60
    for number in range(MOST_REQUESTS + 3000):
        window.succeeded(number / 1000, 0.01)
    now = (MOST_REQUESTS + 2999) / 1000
    assert window.figures(now, 60).requests == MOST_REQUESTS
    assert window.span(now, 60) == pytest.approx((MOST_REQUESTS - 1) / 1000)
    assert window.span(now, 2) == 2


def test_a_limit_beyond_what_is_kept_is_reached() -> None:
    """As one that an older gateway took."""
    limits = RollbackLimits(min_requests=10**6)
    assert verdict(Figures(MOST_REQUESTS - 1, 9000, 20.0), STABLE, limits) is None
    assert verdict(Figures(MOST_REQUESTS, 9000, 20.0), STABLE, limits) is not None


def test_limits_come_from_json() -> None:
    """What is missing has its default, None turns one off."""
    limits = RollbackLimits.from_json({"error_percent": 1, "latency_ratio": None})
    assert limits == RollbackLimits(error_percent=1, latency_ratio=None)
    assert RollbackLimits.from_json({}) == LIMITS


@pytest.mark.parametrize(
    "raw",
    [
        {"errors": 5},
        {"window_s": None},
        {"min_requests": 0},
        {"error_percent": -1},
        {"error_percent": "5"},
        {"latency_ms": True},
        {"latency_ratio": float("nan")},
        {"latency_ratio": float("inf")},
    ],
)
def test_odd_limits_are_refused(raw: dict[str, object]) -> None:
    """The line names the field."""
    with pytest.raises(InvalidRequestError, match=next(iter(raw))):
        RollbackLimits.from_json(raw)
