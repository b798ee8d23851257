"""The comparison of two gateways: its statistics and its table."""

import pytest

from benchmarks.gateway_pair import Cost, Ratio, figures, ratio_of, table


def test_the_ratio_is_the_median_of_the_pairs_ratios() -> None:
    """A round that is slow for both does not change it."""
    ratio = ratio_of([100, 10, 200], [50, 5, 100])
    assert ratio == Ratio(2, 2, 2)


def test_the_interval_contains_the_median_and_excludes_outliers() -> None:
    """One bad round of fifteen is outside."""
    ours = [1.0] * 7 + [1.02] * 7 + [9.0]
    ratio = ratio_of(ours, [1.0] * 15)
    assert 1 <= ratio.low <= ratio.median <= ratio.high < 9
    assert ratio_of(ours, [1.0] * 15) == ratio


def test_pairs_must_be_complete() -> None:
    """A round without its counterpart is an error."""
    with pytest.raises(ValueError, match="shorter"):
        ratio_of([1.0, 2.0], [1.0])


def test_figures_are_ours_to_theirs() -> None:
    """Twice the throughput at half the CPU time."""
    measured = [(Cost(200, 1), Cost(100, 2))] * 3
    assert figures(measured) == {"throughput": Ratio(2, 2, 2), "cpu": Ratio(0.5, 0.5, 0.5)}


def test_the_table_has_intervals() -> None:
    """One row for each number of connections."""
    text = table({4: {"throughput": Ratio(1.01, 0.98, 1.04), "cpu": Ratio(0.99, 0.97, 1.0)}})
    assert text.splitlines()[-1] == "| 4 | 1.010 (0.980 to 1.040) | 0.990 (0.970 to 1.000) |"
