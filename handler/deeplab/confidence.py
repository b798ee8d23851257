"""How sure the network is: the softmax of the class that it chose, 0..1."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

# The logits are refined to every fourth pixel of the network's input before their softmax, and
# the softmax from there on: between two objects the confidence falls, as it should, while an
# exponential for every pixel and class would take as long as half of the network.
STEP = 4


def mean_confidence(logits: NDArray[np.float32]) -> float:
    """Over the network's coarse output. logits: (classes, h, w)."""
    # Not by PyTorch: each of its steps takes longer to begin than this takes in all.
    exponentials = np.exp(logits - logits.max(axis=0))
    return float((1 / exponentials.sum(axis=0)).mean())


def confidence_map(
    logits: NDArray[np.float32], size: tuple[int, int], *, aligned: bool
) -> NDArray[np.float32]:
    """(classes, h, w) logits -> (height, width) float32, 0..1, of the network's input size."""
    _, h, w = logits.shape
    refined = max(h, 1 + (size[0] - 1) // STEP), max(w, 1 + (size[1] - 1) // STEP)
    finer = _resize(torch.from_numpy(logits), refined, aligned=aligned)
    best = _best_share(finer).unsqueeze(0)
    found: NDArray[np.float32] = _resize(best, size, aligned=aligned)[0].numpy()
    return found


def class_confidences(ids: NDArray[np.uint8], confidences: NDArray[np.float32]) -> dict[int, float]:
    """Class id -> mean confidence of its pixels. Both (h, w)."""
    flat = ids.ravel()
    counts = np.bincount(flat)
    sums = np.bincount(flat, weights=confidences.ravel())
    return {int(index): float(sums[index] / counts[index]) for index in np.flatnonzero(counts)}


def grey_levels(confidences: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """0..1 -> 0..255 at (width, height), between the values bilinear."""
    levels = Image.fromarray((confidences * 255).round().astype(np.uint8))
    return np.asarray(levels.resize(size, Image.Resampling.BILINEAR))


def _best_share(logits: torch.Tensor) -> torch.Tensor:
    """(classes, h, w) -> (h, w): the largest softmax of each position."""
    return (logits - logits.amax(dim=0)).exp_().sum(dim=0).reciprocal_()


def _resize(values: torch.Tensor, size: tuple[int, int], *, aligned: bool) -> torch.Tensor:
    resized = F.interpolate(
        values.unsqueeze(0), size, mode="bilinear", align_corners=aligned or None
    )
    return resized[0]
