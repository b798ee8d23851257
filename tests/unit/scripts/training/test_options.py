"""The plan's batch is limited by the number of images."""

import pytest

from scripts.datasets.voc import DataError
from scripts.training.options import Plan, plan_for


def test_a_large_folder_leaves_the_plan_as_it_is() -> None:
    """Every field keeps its value."""
    assert plan_for(Plan(), 100) == Plan()


def test_a_batch_is_not_larger_than_the_folder() -> None:
    """Five images are trained in batches of five."""
    assert plan_for(Plan(), 5).batch == 5


@pytest.mark.parametrize("pictures", [0, 1])
def test_one_picture_is_no_batch(pictures: int) -> None:
    """Batch normalisation needs two images."""
    with pytest.raises(DataError, match="at least two pictures"):
        plan_for(Plan(), pictures)
