"""Everything that was acknowledged outlives kill -9 at any point, and is what is served."""

import os
from typing import Final

import pytest

from tests.rollouts.interrupted import half_an_upload, unanswered_change, unanswered_upload
from tests.rollouts.points import POINTS, POINTS_OF_GATEWAYS, Point
from tests.rollouts.product import EVERYTHING, GATEWAY
from tests.rollouts.rollout import Rollout

# Each point takes six seconds: `EVERY=3 make test-rollouts` takes every third one.
EVERY: Final = int(os.environ.get("EVERY", "1"))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", POINTS[::EVERY], ids=lambda point: point.name)
def test_a_killed_product_converges(rollout: Rollout, point: Point) -> None:
    """Within 20 s everything is as it was acknowledged, and no answer was by another version."""
    rollout.kill(point)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("point", POINTS_OF_GATEWAYS[::EVERY], ids=lambda point: point.name)
def test_it_converges_with_postgresql(rollout: Rollout, point: Point) -> None:
    """The same."""
    rollout.kill(point)


@pytest.mark.parametrize("victims", [(GATEWAY,), EVERYTHING], ids=["gateway", "everything"])
def test_half_an_upload_leaves_nothing(rollout: Rollout, victims: tuple[str, ...]) -> None:
    """Neither a version nor a file; the archive can be sent again."""
    half_an_upload(rollout, *victims)


@pytest.mark.parametrize("delay_ms", [0, 3, 10])
def test_an_upload_without_an_answer_can_be_repeated(rollout: Rollout, delay_ms: int) -> None:
    """With the same Idempotency-Key it is answered as the first one would have been."""
    unanswered_upload(rollout, delay_ms / 1000)


@pytest.mark.parametrize("delay_ms", [0, 2, 4, 8, 16])
def test_a_change_without_an_answer_is_whole(rollout: Rollout, delay_ms: int) -> None:
    """The change and its entry in the audit log are there, or neither is."""
    unanswered_change(rollout, delay_ms / 1000)
