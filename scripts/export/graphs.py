"""The graphs around a network: normalisation before it, upsampling and argmax after it.

And the sizes of pictures that they are traced for.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F

from deeplab.spec import InputSize
from scripts.networks.checkpoints import Checkpoint
from scripts.networks.facts import MEAN, STD, InputFacts

SMALLEST_SIDE, LARGEST_SIDE = 32, 8192  # pixels
# Where the short side has a length, only panoramas have less; some networks need that much.
SMALLEST_SHORT_SIDE = 64
EXAMPLE_SIZE = (385, 513)  # (height, width)


class LogitsGraph(nn.Module):
    """The exported graph: (1, H, W, 3) uint8 RGB -> (1, classes, h, w) float32 logits.

    What is left to do, upsampling and argmax, costs the engine a quarter of its time; the handler
    does it where classes meet only (``deeplab.upsample``).
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, facts: InputFacts | None = None):
        super().__init__()
        self.network, self.facts = network, facts
        self.is_bgr = facts is not None and facts.channels == "bgr"
        std = torch.tensor(facts.std if facts else STD) * 255
        mean = torch.tensor(facts.mean if facts else MEAN) * 255
        self.register_buffer("scale", (1 / std).view(1, 3, 1, 1))
        self.register_buffer("shift", (mean / std).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(self.normalised(image))
        return logits

    def normalised(self, image: Tensor) -> Tensor:
        """(n, H, W, 3) uint8 RGB -> (n, 3, H, W) float32, as the network was trained."""
        rgb = image.permute(0, 3, 1, 2).float() * self.scale - self.shift
        return rgb.flip(1) if self.is_bgr else rgb


class SegmentationGraph(nn.Module):
    """The eager model: (1, H, W, 3) uint8 RGB -> (1, H, W) uint8 class ids."""

    logits: LogitsGraph

    def __init__(self, network: nn.Module, *, aligned: bool, facts: InputFacts | None = None):
        super().__init__()
        self.logits = LogitsGraph(network, facts)
        self.aligned = aligned

    def forward(self, image: Tensor) -> Tensor:
        size = (image.shape[1], image.shape[2])
        coarse = self.logits(image)
        full = F.interpolate(coarse, size=size, mode="bilinear", align_corners=self.aligned)
        return full.argmax(dim=1).to(torch.uint8)


def graph_of(checkpoint: Checkpoint) -> SegmentationGraph:
    """The checkpoint's network from pixels to class ids, in eval mode: the reference."""
    aligned = checkpoint.input.aligned
    return SegmentationGraph(checkpoint.network, aligned=aligned, facts=checkpoint.facts).eval()


def example_size(size: InputSize) -> tuple[int, int]:
    """(height, width) of the example that a graph is traced with."""
    if size.fit == "fixed":
        return size.height, size.width
    height, width = (round(side / size.multiple) * size.multiple for side in EXAMPLE_SIZE)
    return height, width


def free_axes(size: InputSize) -> dict[int, Any]:
    """Axes 1 and 2 of (n, H, W, 3) and what they may be; none are free for a fixed size."""
    if size.fit == "fixed":
        return {}
    step = size.multiple
    smallest = SMALLEST_SHORT_SIDE if size.fit == "short_side" else SMALLEST_SIDE
    first, last = -(-smallest // step), LARGEST_SIDE // step
    names = {1: "height", 2: "width"}
    if step == 1:
        return {axis: Dim(name, min=first, max=last) for axis, name in names.items()}
    return {axis: step * Dim(f"{name}_steps", min=first, max=last) for axis, name in names.items()}
