"""Networks with one output as networks of two classes."""

import pytest
import torch
from torch import nn

from scripts.networks.single_output import LogitsOfProbabilities, TwoClasses

LOGITS = torch.tensor([-2.0, -0.1, 0.1, 2.0]).view(1, 1, 2, 2)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.6, 0.95])
def test_the_class_is_where_the_probability_is_above_the_threshold(threshold: float) -> None:
    """argmax of two logits is the comparison with the threshold."""
    two = TwoClasses(nn.Identity(), threshold)(LOGITS)
    assert two.shape == (1, 2, 2, 2)
    assert torch.equal(two.argmax(dim=1), (LOGITS[:, 0].sigmoid() > threshold).long())


def test_at_one_half_the_confidence_is_the_networks_own() -> None:
    """The softmax of both logits is the sigmoid."""
    shares = TwoClasses(nn.Identity())(LOGITS).softmax(dim=1)
    assert torch.allclose(shares[:, 1:], LOGITS.sigmoid())


def test_probabilities_become_logits_again() -> None:
    """Of one class and of several, also where they are 0 and 1."""
    one = LogitsOfProbabilities(nn.Identity())(LOGITS.sigmoid())
    assert torch.allclose(one, LOGITS, atol=1e-4)
    three = torch.rand(1, 3, 4, 4).softmax(dim=1)
    assert torch.allclose(LogitsOfProbabilities(nn.Identity())(three).softmax(dim=1), three)
    extremes = LogitsOfProbabilities(nn.Identity())(torch.tensor([0.0, 1.0]).view(1, 2, 1, 1))
    assert bool(extremes.isfinite().all())
