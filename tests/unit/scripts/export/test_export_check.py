"""The evidence for int8: agreement counts only on photographs that show enough classes."""

import numpy as np
import pytest

from scripts.export.export_check import Reference, lack_of_evidence

SIDE = 10


def _references(*shown: int) -> list[Reference]:
    """Photographs of 100 pixels; so many of each have a class other than 0."""
    references = []
    for index, pixels in enumerate(shown):
        ids = np.zeros(SIDE * SIDE, dtype=np.uint8)
        ids[:pixels] = index + 1
        picture = np.zeros((1, SIDE, SIDE, 3), dtype=np.uint8)
        references.append(Reference(f"{index}.jpg", picture, ids.reshape(SIDE, SIDE)))
    return references


@pytest.mark.parametrize("shown", [(2, 2, 2), (1, 6, 1, 0), (100, 100, 100)])
def test_what_shows_on_three_photographs_is_evidence(shown: tuple[int, ...]) -> None:
    """Classes other than 0 must cover at least a fiftieth of all pixels."""
    assert lack_of_evidence(_references(*shown)) is None


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ((0, 0, 0, 0), "on 0 of the 4 photographs and on 0.0% of their pixels"),
        ((100, 100, 0, 0), "on 2 of the 4 photographs and on 50.0% of their pixels"),
        ((1, 1, 1, 1), "on 4 of the 4 photographs and on 1.0% of their pixels"),
    ],
    ids=["nothing", "two photographs", "a few pixels"],
)
def test_what_hardly_shows_is_none(shown: tuple[int, ...], found: str) -> None:
    """The reason has the shares measured and required."""
    reason = lack_of_evidence(_references(*shown))
    assert reason == f"the model finds something {found}, 3 and 2% are needed"
