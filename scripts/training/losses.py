"""The loss: logit-adjusted cross-entropy over pixels plus Dice over classes."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from scripts.datasets.voc import IGNORE

STRIDE = 4  # one pixel in four by four is compared: the network's output is coarser still
DICE_WEIGHT = 0.5
RAREST = 1e-4  # share of a class that the pictures do not show
SMOOTHING = 1.0  # pixels; keeps Dice's ratio from jumping where a class has next to none


def segmentation_loss(
    logits: Tensor, ids: Tensor, *, aligned: bool, adjustment: Tensor | None = None
) -> Tensor:
    """The scalar loss of a batch.

    logits: (N, classes, h, w) float. ids: (N, H, W) uint8 class ids, 255 = ignore.
    aligned: whether the logits' corners lie on the picture's.
    adjustment: (classes,) float, added to the logits for the cross-entropy only.
    """
    target = ids[:, ::STRIDE, ::STRIDE].long()
    full = F.interpolate(
        logits.float(),
        size=(target.shape[1], target.shape[2]),
        mode="bilinear",
        align_corners=aligned,
    )
    known = target != IGNORE
    if not known.any():
        return logits.sum() * 0
    adjusted = full if adjustment is None else full + adjustment.view(1, -1, 1, 1)
    entropy = F.cross_entropy(adjusted, target, ignore_index=IGNORE)
    return entropy + DICE_WEIGHT * dice_loss(full.softmax(dim=1), target, known)


def logit_adjustment(shares: Sequence[float], strength: float) -> Tensor:
    """(classes,) float: the logarithm of each class's frequency, added to the logits in the loss.

    A network that is trained so does not prefer frequent classes (Menon et al. 2021,
    arXiv:2007.07314): mean IoU counts a class of few pixels as much as the background.

    shares: of the pixels that are trained on, sum 1. strength: 0 changes nothing, 1 makes all
    classes equally likely.
    """
    return strength * torch.tensor(shares, dtype=torch.float32).clamp_min(RAREST).log()


def dice_loss(probabilities: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """1 - Dice, averaged over the classes in the batch: a small one counts like a large one.

    probabilities: (N, classes, h, w), sum 1 over the classes. target: (N, h, w) int64.
    known: (N, h, w) bool, where the target is one.
    """
    classes = probabilities.shape[1]
    truth = F.one_hot(target.where(known, 0), classes).permute(0, 3, 1, 2) * known.unsqueeze(1)
    predicted = probabilities * known.unsqueeze(1)
    overlap = (predicted * truth).sum(dim=(0, 2, 3))
    total = predicted.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    shown = truth.sum(dim=(0, 2, 3)) > 0
    dice = (2 * overlap + SMOOTHING) / (total + SMOOTHING)
    return torch.mean(1 - dice[shown])
