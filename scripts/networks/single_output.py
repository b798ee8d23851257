"""A network with one output, made one of two classes."""

import math

import torch
from torch import Tensor, nn

from deeplab.spec import InvalidSpecError

FIRST = "background"
LEAST_SHARE = 1e-6  # float32 knows no smaller distance from 1


class TwoClasses(nn.Module):
    """A network with one logit for each pixel, as logits of two classes.

    threshold: probability (the sigmoid) above which the second class wins, between 0 and 1.
    """

    shares: Tensor
    offsets: Tensor

    def __init__(self, network: nn.Module, threshold: float = 0.5):
        super().__init__()
        self.network = network
        # Buffers follow the network to its device and type. A product and a sum: torch.export
        # cannot join the logit with zeros, as it guards the strides of a single channel.
        offset = math.log(threshold / (1 - threshold))
        self.register_buffer("shares", torch.tensor([0.0, 1.0]).view(1, 2, 1, 1))
        self.register_buffer("offsets", torch.tensor([0.0, offset]).view(1, 2, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) float32 -> (N, 2, h, w) logits: 0, and the network's less the offset."""
        logit: Tensor = self.network(image)
        return logit * self.shares - self.offsets


def two_labels(labels: dict[int, str]) -> dict[int, str]:
    """The labels of both classes, from the one that the network finds, or from two.

    Raises InvalidSpecError for any other number.
    """
    if len(labels) == 1 and labels[0].casefold() != FIRST:
        return {0: FIRST, 1: labels[0]}
    if len(labels) == 2:
        return labels
    raise InvalidSpecError(
        f"names {len(labels)} classes, but the network has one output: "
        'name the class that it finds, {"0": "crack"}, or both, '
        '{"0": "background", "1": "crack"}'
    )


class LogitsOfProbabilities(nn.Module):
    """A network that gives probabilities, made one that gives logits."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) float32 -> (N, classes, h, w) logits, of one class its own odds."""
        shares: Tensor = self.network(image).clamp(LEAST_SHARE, 1 - LEAST_SHARE)
        if shares.shape[1] == 1:
            return shares.log() - (1 - shares).log()
        return shares.log()
