"""The twelve photographs of every export's check, and colour classes to fit a network to."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from scripts.export.export_check import photographs

Pixels = NDArray[np.uint8]


def pictures() -> dict[str, Pixels]:
    """File name -> (height, width, 3) uint8 RGB."""
    return {path.name: np.array(Image.open(path).convert("RGB")) for path in photographs()}


def small_batch(height: int = 64, width: int = 96) -> Tensor:
    """(12, 3, height, width) float32 RGB, 0..1: all photographs, stretched."""
    stretched = [Image.fromarray(each).resize((width, height)) for each in pictures().values()]
    pixels = torch.stack([torch.from_numpy(np.array(each)) for each in stretched])
    return pixels.permute(0, 3, 1, 2).float() / 255


def colour_scores(images: Tensor, classes: int, size: tuple[int, int]) -> Tensor:
    """(n, classes, *size) float32: the blurred picture along directions in the space of colours.

    Bright, dark, warm, cold, and mixtures: whatever the number, each is largest somewhere.
    """
    small = F.interpolate(images, size=size, mode="area")
    blurred = F.avg_pool2d(small, 3, stride=1, padding=1, count_include_pad=False)
    bright, warm = blurred.mean(dim=1), blurred[:, 0] - blurred[:, 2]
    angles = torch.arange(classes) * (2 * torch.pi / classes)
    planes = [
        torch.cos(angle) * _standard(bright) + torch.sin(angle) * _standard(warm)
        for angle in angles
    ]
    return torch.stack(planes, dim=1)


def _standard(plane: Tensor) -> Tensor:
    """With mean 0 and deviation 1."""
    return (plane - plane.mean()) / plane.std()
