"""Faults of networks that a comparison with themselves cannot show."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from scripts.networks.soundness import degeneracy, output_fault, weight_fault

IMAGE = torch.ones(1, 3, 4, 4)


class Overflow(nn.Module):
    """A layer that gives infinity."""

    def forward(self, image: Tensor) -> Tensor:
        return image / 0


def test_the_first_layer_without_numbers_is_named() -> None:
    """Not the last one, which only passes them on."""
    network = nn.Sequential(nn.Conv2d(3, 2, 1), Overflow(), nn.Conv2d(2, 2, 1)).eval()
    nn.init.ones_(network[0].get_parameter("weight"))
    assert output_fault(network, IMAGE) == "1 (Overflow)"
    assert network[1]._forward_hooks == {}


def test_a_network_that_computes_numbers_has_no_fault() -> None:
    """The usual case."""
    assert output_fault(nn.Conv2d(3, 2, 1).eval(), IMAGE) is None


def test_arithmetic_between_layers_is_the_networks_own() -> None:
    """A fault outside of every layer."""

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 2, 1)

        def forward(self, image: Tensor) -> Tensor:
            out: Tensor = self.layer(image) * float("nan")
            return out

    assert output_fault(Whole().eval(), IMAGE) == "the network (Whole)"


@pytest.mark.parametrize(
    ("value", "words"),
    [(float("nan"), "b has NaN in 1 of 4 values"), (float("-inf"), "b has infinity in 1 of 4")],
)
def test_the_first_tensor_without_numbers_is_named(value: float, words: str) -> None:
    """With how many they are; whole numbers are no fault."""
    b = torch.tensor([1.0, value, 2.0, 3.0])
    fault = weight_fault({"a": torch.ones(2), "count": torch.tensor(3), "b": b})
    assert fault is not None
    assert words in fault
    assert weight_fault({"a": torch.ones(2)}) is None


def test_one_class_everywhere_is_degenerate() -> None:
    """The warning names it; two classes are none."""
    nothing = [np.zeros((3, 4), np.uint8)] * 12
    warning = degeneracy(nothing, {0: "background"})
    assert warning is not None
    assert "one class, 0 (background), to every pixel of all 12 photographs" in warning
    assert degeneracy([*nothing, np.ones((3, 4), np.uint8)], {0: "background", 1: "cat"}) is None
