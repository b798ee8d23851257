"""The graphs around a network: normalisation before it, upsampling and argmax after it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scripts.networks.checkpoints import Checkpoint
from scripts.networks.facts import MEAN, STD, InputFacts


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
