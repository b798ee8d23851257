"""The learning rate's warm-up and decay, and the decay of the weights' average."""

import pytest

from scripts.training.optimiser import average_decay, factor, warm_up_steps


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 1 / 11), (4, 5 / 11), (10, 1.0), (55, 0.5**0.9), (99, 0.0173)]
)
def test_the_rate_warms_up_and_decays(step: int, expected: float) -> None:
    """Ten steps of warm-up, then DeepLab's poly schedule over the other ninety."""
    assert factor(step, steps=100, warm_up=10) == pytest.approx(expected, abs=1e-3)


def test_the_rate_never_rises_after_the_warm_up() -> None:
    """It never becomes negative, even if all steps are warm-up."""
    rates = [factor(step, 100, 10) for step in range(10, 130)]
    assert rates == sorted(rates, reverse=True)
    assert min(rates) == 0.0
    assert factor(4, steps=5, warm_up=100) == pytest.approx(5 / 101)


@pytest.mark.parametrize(
    ("steps", "expected"), [(5, 0), (10, 1), (96, 9), (1000, 100), (10_000, 100)]
)
def test_a_short_training_warms_up_shortly(steps: int, expected: int) -> None:
    """At most a tenth of the steps."""
    assert warm_up_steps(steps, most=100) == expected


@pytest.mark.parametrize("steps", [1, 5, 12, 96, 2000])
def test_the_rate_reaches_its_height_and_falls(steps: int) -> None:
    """However few images there are."""
    warm_up = warm_up_steps(steps, most=100)
    rates = [factor(step, steps, warm_up) for step in range(steps)]
    assert max(rates) == 1.0
    assert rates[-1] == pytest.approx((1 / (steps - warm_up)) ** 0.9)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.1), (8, 0.5), (90, 0.91), (10**6, 0.998)])
def test_the_average_moves_fast_at_first(step: int, expected: float) -> None:
    """The initial weights are soon forgotten."""
    assert average_decay(step, most=0.998) == pytest.approx(expected)
