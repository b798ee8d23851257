"""A real network that is small enough to be exported in a second."""

import torch
from torch import nn

from deeplab.spec import InputSize
from scripts.networks.checkpoints import Checkpoint

LABELS = {0: "background", 1: "red", 2: "green", 3: "blue"}


def tiny_network() -> nn.Module:
    """Output stride 4; a pixel's class is its strongest colour, grey is background."""
    torch.manual_seed(7)
    network = nn.Sequential(
        nn.AvgPool2d(kernel_size=4, stride=4, padding=1, count_include_pad=False),
        nn.Conv2d(3, 4, kernel_size=1),
    )
    convolution = network[1]
    assert isinstance(convolution, nn.Conv2d)
    with torch.no_grad():
        convolution.weight.copy_(
            torch.tensor([[0.0, 0, 0], [2, -1, -1], [-1, 2, -1], [-1, -1, 2]]).view(4, 3, 1, 1)
        )
        convolution.bias = nn.Parameter(torch.tensor([0.75, 0, 0, 0]))
    return network.eval()


def tiny_checkpoint() -> Checkpoint:
    """The network as if it had been loaded from a file."""
    return Checkpoint(
        architecture="tiny",
        network=tiny_network(),
        labels=LABELS,
        input=InputSize(long_side=96, grid=1),
        origin="made for a test",
        sha256="0" * 64,
    )
