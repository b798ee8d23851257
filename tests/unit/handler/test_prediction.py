"""A prediction holds the full-size mask, and computes the rest from its logits on demand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deeplab.prediction import Prediction

CAT, PERSON = 8, 15
SIZE = (200, 100)


def _logits() -> NDArray[np.float32]:
    """(21, 5, 7) float32: the left columns a cat, the right columns a person."""
    logits = np.zeros((21, 5, 7), dtype=np.float32)
    logits[CAT, :, :3], logits[PERSON, :, 3:] = 9, 9
    return logits


@pytest.fixture(params=[True, False], ids=["aligned", "not aligned"])
def prediction(request: pytest.FixtureRequest) -> Prediction:
    """For an image of 200 x 100 pixels, from a network's input of 65 x 97."""
    return Prediction(_logits(), (65, 97), SIZE, aligned=request.param)


def test_the_mask_has_the_size_of_the_image(prediction: Prediction) -> None:
    """Cat on the left, person on the right."""
    ids = prediction.mask.ids
    assert ids.shape == (100, 200)
    assert (ids[50, 0], ids[50, -1]) == (CAT, PERSON)
    assert set(np.unique(ids)) == {CAT, PERSON}


def test_a_mask_of_chosen_classes_has_background_elsewhere(prediction: Prediction) -> None:
    """It equals the mask where the mask has a chosen class."""
    ids = prediction.mask.ids
    chosen = prediction.mask_of(frozenset({CAT})).ids
    assert np.array_equal(chosen, np.where(ids == CAT, CAT, 0))


def test_confidences_are_at_the_size_of_the_networks_input(prediction: Prediction) -> None:
    """High within the two objects, low between them."""
    confidences = prediction.confidences()
    assert confidences.shape == (65, 97)
    assert confidences[32, 0] > 0.99
    assert confidences[32, -1] > 0.99
    assert 32 <= confidences[32].argmin() <= 48
    assert confidences.min() < 0.75


def test_each_class_has_a_confidence(prediction: Prediction) -> None:
    """The mean over its pixels, for the classes that are present."""
    found = prediction.class_confidence()
    assert set(found) == {CAT, PERSON}
    assert all(0.9 < confidence <= 1 for confidence in found.values())
