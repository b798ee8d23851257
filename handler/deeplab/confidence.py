"""Confidence of the network: the softmax of the class that it chose, 0..1."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

# Logits are upsampled to every fourth pixel of the network's input before their softmax, and the
# softmax from there on: confidence falls between two objects, as it should, while an exponential
# per pixel and class would take half as long as the network.
STEP = 4
MAX_VALUES = 16_000_000  # logits between the two; of a canvas of tiles more pixels are left out


def mean_confidence(logits: NDArray[np.float32]) -> float:
    """Mean confidence, 0..1, of (classes, h, w) float32 logits at their own resolution."""
    # NumPy, because starting each PyTorch operation takes longer than this takes in all.
    exponentials = np.exp(logits - logits.max(axis=0))
    return float((1 / exponentials.sum(axis=0)).mean())


def confidence_map(
    logits: NDArray[np.float32], size: tuple[int, int], *, aligned: bool
) -> NDArray[np.float32]:
    """(classes, h, w) float32 logits -> (height, width) float32 confidences, 0..1.

    size: (height, width), that of the network's input.
    aligned: whether the corners of the logits lie on the corners of the map.
    """
    _, h, w = logits.shape
    step = STEP
    while len(logits) * (size[0] // step) * (size[1] // step) > MAX_VALUES:
        step *= 2
    refined = max(h, 1 + (size[0] - 1) // step), max(w, 1 + (size[1] - 1) // step)
    finer = _resize(torch.from_numpy(logits), refined, aligned=aligned)
    largest = _max_softmax(finer).unsqueeze(0)
    confidences: NDArray[np.float32] = _resize(largest, size, aligned=aligned)[0].numpy()
    return confidences


def class_confidences(ids: NDArray[np.uint8], confidences: NDArray[np.float32]) -> dict[int, float]:
    """Class id -> mean confidence of its pixels. ids: (h, w) uint8, confidences: (h, w) 0..1."""
    flat = ids.ravel()
    counts = np.bincount(flat)
    sums = np.bincount(flat, weights=confidences.ravel())
    return {int(index): float(sums[index] / counts[index]) for index in np.flatnonzero(counts)}


def grey_levels(confidences: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w) float32, 0..1 -> (height, width) uint8, 0..255, bilinear. size: (width, height)."""
    levels = Image.fromarray((confidences * 255).round().astype(np.uint8))
    return np.asarray(levels.resize(size, Image.Resampling.BILINEAR))


def _max_softmax(logits: torch.Tensor) -> torch.Tensor:
    """(classes, h, w) logits -> (h, w) largest softmax, 0..1."""
    return (logits - logits.amax(dim=0)).exp_().sum(dim=0).reciprocal_()


def _resize(values: torch.Tensor, size: tuple[int, int], *, aligned: bool) -> torch.Tensor:
    """(n, h, w) -> (n, height, width), bilinear."""
    resized = F.interpolate(
        values.unsqueeze(0), size, mode="bilinear", align_corners=aligned or None
    )
    return resized[0]
