"""Confidences are the softmax of the chosen class, low between objects and high within them."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deeplab.confidence import class_confidences, confidence_map, grey_levels, mean_confidence

SHAPE = (385, 481)


def _logits(seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return random.normal(0, 4, (21, 25, 31)).astype(np.float32)


def _best_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = torch.from_numpy(logits).softmax(dim=0).amax(dim=0).numpy()
    return found


def _two_halves() -> NDArray[np.float32]:
    logits = np.zeros((21, 25, 31), dtype=np.float32)
    logits[0, :, :15], logits[15, :, 15:] = 10, 10
    return logits


def test_the_mean_is_that_of_the_softmax() -> None:
    """Over the network's own output."""
    logits = _logits(1)
    assert mean_confidence(logits) == pytest.approx(_best_softmax(logits).mean())


@pytest.mark.parametrize("aligned", [True, False])
def test_the_map_has_the_size_asked_for_and_lies_between_0_and_1(aligned: bool) -> None:
    """With aligned corners or without."""
    found = confidence_map(_logits(2), SHAPE, aligned=aligned)
    assert found.shape == SHAPE
    assert found.dtype == np.float32
    assert 1 / 21 <= found.min() <= found.max() <= 1


def test_the_map_is_the_softmax_where_the_network_has_an_output() -> None:
    """Aligned: every sixteenth pixel."""
    logits = _logits(3)
    found = confidence_map(logits, SHAPE, aligned=True)
    assert found[::16, ::16] == pytest.approx(_best_softmax(logits), abs=1e-5)


def test_confidence_falls_between_two_objects() -> None:
    """Both sides are certain of different classes; the middle could be either."""
    row = confidence_map(_two_halves(), SHAPE, aligned=True)[100]
    assert row[0] > 0.99
    assert row[-1] > 0.99
    assert row.min() == pytest.approx(0.5, abs=0.04)
    assert 224 <= int(row.argmin()) <= 240


def test_each_class_has_the_mean_of_its_pixels() -> None:
    """Absent classes are not listed."""
    ids = np.array([[0, 0, 8], [8, 8, 20]], dtype=np.uint8)
    shares = np.array([[0.2, 0.4, 0.9], [0.6, 0.6, 1.0]], dtype=np.float32)
    assert class_confidences(ids, shares) == pytest.approx({0: 0.3, 8: 0.7, 20: 1.0})


def test_grey_levels_span_the_byte() -> None:
    """0 is black, 1 is white, and the size is the image's."""
    levels = grey_levels(np.array([[0, 1]], dtype=np.float32), (8, 3))
    assert levels.shape == (3, 8)
    assert (levels[0, 0], levels[0, -1]) == (0, 255)


@pytest.mark.parametrize("shape", [(33, 33), (33, 481), (1, 1)])
def test_small_inputs_have_a_map_too(shape: tuple[int, int]) -> None:
    """Down to one output in a direction."""
    logits = np.ones((21, 1 + (shape[0] - 1) // 16, 1 + (shape[1] - 1) // 16), dtype=np.float32)
    found = confidence_map(logits, shape, aligned=True)
    assert found == pytest.approx(np.full(shape, 1 / 21))
