"""Two masks of one image are compared class by class."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.masks.agreement import (
    NO_CLASS,
    Agreement,
    DifferentSizesError,
    agreement,
    matching_ids,
)
from tests.unit.gateway.mask_samples import SAMPLES, drawn, golden

Mask = NDArray[np.uint8]


@st.composite
def pairs_of_masks(draw: st.DrawFn) -> tuple[Mask, Mask]:
    """Two masks of one size, with few or all ids."""
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    most, seed = draw(st.sampled_from([0, 1, 3, 254])), draw(st.integers(0, 1000))
    dice = np.random.default_rng(seed)
    first = dice.integers(0, most + 1, shape).astype(np.uint8)
    return first, np.where(dice.random(shape) < 0.5, first, dice.permuted(first)).astype(np.uint8)


def slow_agreement(first: Mask, second: Mask) -> Agreement:
    """The same by the definition, class by class."""
    classes = {
        int(each): (
            int(np.sum((first == each) & (second == each))),
            int(np.sum((first == each) | (second == each))),
        )
        for each in np.union1d(first, second)
    }
    return Agreement(first.size, int(np.sum(first == second)), classes)


@given(pairs_of_masks())
def test_it_is_the_definition(masks: tuple[Mask, Mask]) -> None:
    """Whatever the masks."""
    assert agreement(*masks) == slow_agreement(*masks)


@given(pairs_of_masks())
def test_it_does_not_matter_which_is_first(masks: tuple[Mask, Mask]) -> None:
    """Agreement, intersection and union are symmetric."""
    first, second = masks
    assert agreement(first, second) == agreement(second, first)


@given(pairs_of_masks(), st.permutations(range(NO_CLASS)))
def test_ids_are_matched_by_names(masks: tuple[Mask, Mask], order: list[int]) -> None:
    """A model with the same classes in another order agrees as if it had the same."""
    first, second = masks
    renumbered = np.array([*order, NO_CLASS], np.uint8)[second]
    names = {class_id: f"class {class_id}" for class_id in range(NO_CLASS)}
    others = {order[class_id]: name.upper() for class_id, name in names.items()}
    assert agreement(first, renumbered, matching_ids(names, others)) == slow_agreement(
        first, second
    )


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "every byte"])
def test_a_mask_agrees_with_itself(name: str) -> None:
    """Every class has as much of intersection as of union."""
    found = agreement(SAMPLES[name], SAMPLES[name])
    assert found.agreeing == found.pixels == SAMPLES[name].size
    assert all(both == either for both, either in found.classes.values())


def test_a_large_mask_is_counted_in_blocks() -> None:
    """Of several rows each, and of one row that is longer than a block."""
    for shape in ((3000, 1001), (2, 1_500_001)):
        first = np.random.default_rng(1).integers(0, 3, shape).astype(np.uint8)
        second = np.roll(first, 1, axis=1)
        assert agreement(first, second) == slow_agreement(first, second)


def test_a_real_mask_and_a_shifted_one() -> None:
    """Most of a photograph's pixels stay as they are."""
    mask = golden("cat")
    found = agreement(mask[:, 1:], mask[:, :-1])
    assert 0.9 < found.agreeing / found.pixels < 1


def test_classes_of_one_model_only() -> None:
    """A class that stable lacks never agrees, and counts in its union once."""
    ids = matching_ids({0: "background", 1: "cat"}, {0: "Background", 1: "dog", 2: "CAT"})
    found = agreement(drawn("0011"), drawn("0122"), ids)
    assert found == Agreement(4, 3, {0: (1, 2), 1: (2, 2), NO_CLASS: (0, 1)})


def test_without_names_ids_stand_for_themselves() -> None:
    """The labels of a version may not be known yet."""
    for labels in ({}, {0: "background"}):
        assert matching_ids({}, labels).tolist() == [*range(256)]
        assert matching_ids(labels, {}).tolist() == [*range(256)]


@pytest.mark.parametrize("shape", [(3, 5), (4, 4), (4, 6), (5, 4)])
def test_masks_of_other_sizes_are_refused(shape: tuple[int, int]) -> None:
    """Also the same number of pixels: they are not of one image."""
    with pytest.raises(DifferentSizesError, match=f"{shape[1]} x {shape[0]} pixels"):
        agreement(np.zeros((4, 5), np.uint8), np.zeros(shape, np.uint8))
