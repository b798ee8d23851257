"""The masks of a library's own code, to which an archive's are compared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2.functional import resize  # type: ignore[import-untyped]  # it has no types

from tests.formats.photographs import Pixels
from tests.formats.served import ids


@dataclass(frozen=True)
class Masks:
    """Class ids of a picture: at the size of the network's input, and at the picture's.

    at_input: after the library's own upsampling to its input. at_picture: after its own to the
    picture.
    """

    at_input: Pixels
    at_picture: Pixels


class Author(Protocol):
    """A network as its author runs it."""

    def masks(self, picture: Pixels) -> Masks:
        """(height, width, 3) uint8 RGB -> its masks."""
        ...


@dataclass(frozen=True)
class Network:
    """A network behind a function that prepares pictures.

    prepare: (height, width, 3) uint8 RGB -> the network's input (1, 3, h, w).
    run: that -> logits (1, classes, h, w), or of one class.
    """

    prepare: Callable[[Pixels], Tensor]
    run: Callable[[Tensor], Tensor]
    threshold: float = 0.5

    def masks(self, picture: Pixels) -> Masks:
        """(height, width, 3) uint8 RGB -> its masks."""
        with torch.no_grad():
            logits = self.run(self.prepare(picture))
        full = F.interpolate(logits, picture.shape[:2], mode="bilinear")
        small, large = (ids(each[0].numpy(), self.threshold) for each in (logits, full))
        return Masks(small, large)


def by_pillow(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """The picture at (width, height), bilinear."""
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


def by_torchvision(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """The same as torchvision resizes tensors: one level off at some pixels.

    Enough to move the edges in the masks of random weights.
    """
    planes = resize(torch.tensor(picture).permute(2, 0, 1), [size[1], size[0]], antialias=True)
    return np.asarray(planes.permute(1, 2, 0))


def long_side(picture: Pixels, length: int, multiple: int = 1) -> tuple[int, int]:
    """(width, height) of a picture with this long side, in multiples."""
    height, width = picture.shape[:2]
    scale = length / max(height, width) / multiple
    return round(width * scale) * multiple, round(height * scale) * multiple


def normal(pixels: Pixels, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(h, w, 3) uint8 -> (1, 3, h, w) float32."""
    planes = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
    centre, spread = (torch.tensor(each).view(1, 3, 1, 1) for each in (mean, std))
    return (planes - centre) / spread
