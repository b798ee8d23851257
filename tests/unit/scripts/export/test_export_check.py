"""The evidence for int8: agreement counts only on photographs that show enough classes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deeplab.spec import Precision
from scripts.export.export_check import (
    ExportCheck,
    Reference,
    eager_references,
    lack_of_evidence,
    photographs,
)
from scripts.export.graphs import graph_of
from tests.unit.tiny import tiny_checkpoint

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


@pytest.mark.parametrize(("share", "is_sufficient"), [(0.9985, False), (0.9995, True)])
def test_f32_that_was_asked_for_agrees_on_all_but_a_thousandth(
    share: float, is_sufficient: bool
) -> None:
    """Nothing was rounded but sums; elsewhere f32 has weights of 16 bits."""
    asked = ExportCheck("f32", {"a.jpg": share}, ms=1.0, is_exact=True)
    assert asked.is_sufficient == is_sufficient
    assert ExportCheck("f32", {"a.jpg": share}, ms=1.0).is_sufficient


class _Halves:
    """A model whose left half is class 1, whatever it sees; it notes what it was given."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(height, width, 3) uint8 -> (2, height, width) float32."""
        self.seen.append(image.shape)
        logits = np.zeros((2, *image.shape[:2]), dtype=np.float32)
        logits[1, :, : image.shape[1] // 2] = 1
        logits[0, :, image.shape[1] // 2 :] = 1
        return logits


def test_the_reference_is_the_original_behind_its_own_preprocessing() -> None:
    """It sees whole photographs; its classes are compared at the network's size."""
    checkpoint, original = tiny_checkpoint(), _Halves()
    references = eager_references(graph_of(checkpoint), checkpoint.input, original)
    assert len(references) == len(photographs()) == len(original.seen)
    assert min(max(shape[:2]) for shape in original.seen) > checkpoint.input.long_side
    for each in references:
        assert each.ids.shape == each.pixels.shape[1:3]
        middle = each.ids.shape[1] // 2
        assert each.ids[:, : middle - 1].all()
        assert not each.ids[:, middle + 1 :].any()


@pytest.mark.parametrize(
    ("precision", "is_exact", "is_measured", "required"),
    [
        ("f32", False, False, 0.995),
        ("f32", True, False, 0.999),
        ("bf16", False, False, 0.995),
        ("int8", False, False, 0.995),
        ("int8", False, True, 0.99),
    ],
)
def test_what_is_not_known_to_cost_nothing_must_agree_more(
    precision: Precision, is_exact: bool, is_measured: bool, required: float
) -> None:
    """int8 may differ more where its mIoU was measured, or where it was asked for."""
    check = ExportCheck(precision, {"cat.jpg": required}, 1.0, is_exact, is_measured)
    assert check.required == required
    assert check.is_sufficient
