"""The loss: low for correct logits, high for wrong ones, zero for ignored pixels."""

import math

import pytest
import torch
from torch import Tensor

from scripts.training.losses import dice_loss, logit_adjustment, segmentation_loss


def _logits(ids: Tensor, classes: int = 3, sure: float = 20.0) -> Tensor:
    """(N, classes, h, w) logits with near certainty for ``ids`` (N, h, w)."""
    return torch.nn.functional.one_hot(ids, classes).permute(0, 3, 1, 2) * sure


@pytest.fixture
def truth() -> Tensor:
    """(1, 33, 33): the left half is class 0, the right half class 2."""
    ids = torch.zeros(1, 33, 33, dtype=torch.uint8)
    ids[:, :, 17:] = 2
    return ids


def test_the_truth_costs_almost_nothing(truth: Tensor) -> None:
    """At the resolution of the comparison."""
    assert segmentation_loss(_logits(truth[:, ::4, ::4].long()), truth, aligned=True) < 0.01


def test_the_opposite_costs_much(truth: Tensor) -> None:
    """More than uniform logits."""
    wrong = _logits(2 - truth[:, ::4, ::4].long())
    guess = torch.zeros(1, 3, 9, 9)
    assert segmentation_loss(wrong, truth, aligned=True) > segmentation_loss(
        guess, truth, aligned=True
    )


def test_ignored_pixels_do_not_count(truth: Tensor) -> None:
    """Whatever is predicted there."""
    truth[:, :, :20] = 255
    logits = _logits(truth.where(truth != 255, 0)[:, ::4, ::4].long())
    changed = logits.clone()
    changed[:, :, :, :4] = torch.randn(1, 3, 9, 4) * 9
    assert segmentation_loss(changed, truth, aligned=True) == segmentation_loss(
        logits, truth, aligned=True
    )


def test_a_batch_without_known_pixels_costs_nothing() -> None:
    """The gradient is zero, not NaN."""
    logits = torch.randn(1, 3, 3, 3, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((1, 33, 33), 255).byte(), aligned=True)
    (gradient,) = torch.autograd.grad(loss, [logits])
    assert float(loss.detach()) == 0.0
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_the_adjustment_is_the_logarithm_of_the_share() -> None:
    """Times its strength; finite for a class without pixels."""
    found = logit_adjustment([0.5, 0.25, 0.25, 0.0], strength=0.5)
    expected = [math.log(share) / 2 for share in (0.5, 0.25, 0.25, 1e-4)]
    assert found.tolist() == pytest.approx(expected)
    assert logit_adjustment([0.5, 0.5], strength=0).tolist() == [0, 0]


def test_with_the_adjustment_missing_a_rare_class_costs_more(truth: Tensor) -> None:
    """Thus the network learns larger logits for it."""
    guess = torch.zeros(1, 3, 9, 9)
    adjustment = logit_adjustment([0.9, 0.05, 0.05], strength=1.0)
    rare = torch.full((1, 33, 33), 2, dtype=torch.uint8)
    frequent = torch.zeros(1, 33, 33, dtype=torch.uint8)
    costs = [
        float(segmentation_loss(guess, ids, aligned=True, adjustment=adjustment))
        for ids in (rare, frequent)
    ]
    assert costs[0] - costs[1] == pytest.approx(math.log(0.9 / 0.05))


def test_a_small_class_counts_like_a_large_one() -> None:
    """Missing ten pixels of a class of ten costs Dice as much as missing ninety of ninety."""
    small, large = torch.zeros(1, 10, 10).long(), torch.ones(1, 10, 10).long()
    small[0, 0] = 1
    large[0, 0] = 0
    known = torch.ones(1, 10, 10).bool()
    missed_small = dice_loss(_logits(torch.zeros_like(small), 2).softmax(1), small, known)
    missed_large = dice_loss(_logits(torch.zeros_like(large), 2).softmax(1), large, known)
    assert float(missed_small) == pytest.approx((1 - 180 / 190 + 1) / 2, abs=0.06)
    assert float(missed_large) > 0.8 * float(missed_small)


def test_classes_that_the_batch_does_not_show_are_left_out() -> None:
    """They have nothing to overlap with."""
    truth = torch.zeros(1, 4, 4).long()
    known = torch.ones(1, 4, 4).bool()
    assert float(dice_loss(_logits(truth).softmax(1), truth, known)) == pytest.approx(0, abs=1e-4)
