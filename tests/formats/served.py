"""A read checkpoint as it is served: exported to OpenVINO in f32, behind its facts."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from deeplab.spec import InputSize
from scripts.export.graphs import example_size, free_axes
from scripts.networks.checkpoints import Checkpoint
from scripts.networks.facts import InputFacts
from tests.formats.photographs import Pixels, pictures

Logits = NDArray[np.float32]
REQUIRED = 0.999
LEAST_CLASSES = 3  # that the masks of all photographs must show together, or the network is none


class FactsGraph(nn.Module):
    """(1, H, W, 3) uint8 RGB -> coarse logits, by the facts alone."""

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, facts: InputFacts):
        super().__init__()
        self.network, self.flip = network, facts.channels == "bgr"
        mean, std = torch.tensor(facts.mean) * 255, torch.tensor(facts.std) * 255
        self.register_buffer("scale", (1 / std).view(1, 3, 1, 1))
        self.register_buffer("shift", (mean / std).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        normal = image.permute(0, 3, 1, 2).float() * self.scale - self.shift
        logits: Tensor = self.network(normal.flip(1) if self.flip else normal)
        return logits


class Served:
    """The exported checkpoint on whole pictures."""

    def __init__(self, checkpoint: Checkpoint):
        assert checkpoint.facts is not None
        self.size, self.threshold = checkpoint.facts.input, checkpoint.threshold
        graph = FactsGraph(checkpoint.network, checkpoint.facts).eval()
        example = torch.zeros(1, *example_size(self.size), 3, dtype=torch.uint8)
        program = torch.export.export(
            graph, (example,), dynamic_shapes=(free_axes(self.size) or None,)
        )
        model = ov.convert_model(program)
        self._model = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def logits(self, picture: Pixels, *, twice: bool) -> Logits:
        """(height, width, 3) uint8 RGB -> (classes, height, width) float32.

        twice: upsampled to the network's size before the picture's, which moves edges a little.
        """
        pixels = resized(picture, self.size)
        coarse: Logits = self._model(pixels[np.newaxis])[0]
        middle = upsampled(coarse, pixels.shape[:2]) if twice else coarse
        full: Logits = upsampled(middle, picture.shape[:2])[0]
        return full


def resized(picture: Pixels, size: InputSize) -> Pixels:
    """The picture at the network's size, as the handler does, or as OpenCV without averaging."""
    height, width = target(picture.shape[:2], size)
    if size.antialias:
        planes = torch.from_numpy(picture).permute(2, 0, 1)[None]
        mode = size.interpolation
        small = F.interpolate(planes, (height, width), mode=mode, antialias=True)
        return np.ascontiguousarray(small[0].permute(1, 2, 0).numpy())
    # Its own rounding: one level of difference at a tenth of the pixels moves the edges of a mask
    # of random weights, for 1 % of the pixels.
    return np.asarray(cv2.resize(picture, (width, height)), dtype=np.uint8)


def target(shape: tuple[int, ...], size: InputSize) -> tuple[int, int]:
    """(height, width) for the network."""
    if size.fit == "fixed":
        return size.height, size.width
    scale = size.long_side / max(shape)
    if size.fit == "short_side":
        scale = min(scale, size.short_side / min(shape))
    step, half = size.multiple, 0.0 if size.rounding == "down" else 0.5
    height, width = (max(1, int(side * scale / step + half + 1e-6)) * step for side in shape)
    return height, width


def upsampled(logits: Logits, shape: tuple[int, ...]) -> Logits:
    """(1, classes, h, w) -> (1, classes, *shape), bilinear."""
    full: Logits = F.interpolate(torch.from_numpy(logits), shape, mode="bilinear").numpy()
    return full


def ids(logits: Logits, threshold: float) -> Pixels:
    """(classes, height, width) -> class ids; of one class whether its share is above threshold."""
    if len(logits) == 1:
        return np.asarray(logits[0] > np.log(threshold / (1 - threshold)), dtype=np.uint8)
    largest: Pixels = logits.argmax(axis=0).astype(np.uint8)
    return largest


def agreement(
    checkpoint: Checkpoint, original: Callable[[Pixels], Pixels], *, twice: bool = False
) -> Mapping[str, float]:
    """Photograph -> share of pixels with the original's class.

    original: a picture -> its mask, which must show something to agree on. twice: whether it
    upsamples its logits twice.
    """
    served = Served(checkpoint)
    shares, classes = {}, set[int]()
    for name, picture in pictures().items():
        wanted = original(picture)
        classes |= set(np.unique(wanted).tolist())
        found = ids(served.logits(picture, twice=twice), served.threshold)
        shares[name] = float(np.mean(found == wanted))
    assert len(classes) >= min(LEAST_CLASSES, len(checkpoint.labels))
    return shares


def mean(shares: Mapping[str, float]) -> float:
    """The mean over the photographs."""
    return float(np.mean(list(shares.values())))
