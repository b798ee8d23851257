"""Filtering of pseudo-labels by an ImageNet classifier.

The command copies a folder with the 21 classes of Pascal VOC. Every object of a predicted mask is
shown to EfficientNet-Lite2's ImageNet classifier: where it is sure of something else, the object's
pixels become 255 (ignore), or the animal that it is sure of. Masks of pictures in DIR/real.txt were
drawn by people and stay as they are.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from scripts.datasets.imagenet_classifier import ANIMALS, BESIDE, OWN, voc_ids
from scripts.datasets.split import TRUSTED
from scripts.datasets.voc import (
    IGNORE,
    IMAGES,
    MASKS,
    LabelledImage,
    list_pairs,
    read_names,
)
from scripts.networks.architectures import STAGES
from scripts.networks.efficientnet_lite import EfficientNetLite
from scripts.networks.facts import MEAN, STD
from scripts.networks.imagenet_backbones import load_lite, package_state

BACKBONE = "efficientnet_lite2"
SIDE = 224  # pixels, of the square in which an object is shown
MARGINS = (0.08, 0.35)  # around the object, as shares of its longer side
LEAST_SHARE = 0.01  # of the picture; smaller objects cannot be recognised
# Shares of the classifier's confidence, found by looking at what each of them throws out.
ANIMAL_KEPT, ANIMAL_RENAMED = 0.1, 0.8
THING_KEPT, SURE_OF_ANOTHER = 0.05, 0.4


class Classifier:
    """EfficientNet-Lite2 as it was trained on ImageNet."""

    def __init__(self) -> None:
        self._mean, self._std = torch.tensor(MEAN), torch.tensor(STD)
        self._backbone = EfficientNetLite(STAGES[BACKBONE]).eval()
        load_lite(self._backbone, BACKBONE, self._mean, self._std)
        self._state = package_state(BACKBONE)

    @torch.inference_mode()
    def __call__(self, crops: Sequence[Image.Image]) -> Tensor:
        """(1000,) confidence, sum 1, averaged over square RGB ``crops`` of one object."""
        pixels = torch.from_numpy(np.stack([np.asarray(crop) for crop in crops]))
        values = pixels.float() / 255
        normalised = ((values - self._mean) / self._std).permute(0, 3, 1, 2)
        hidden = F.conv2d(self._backbone(normalised), self._state["_conv_head.weight"])
        hidden = F.relu6(self._normalised(hidden)).mean(dim=(2, 3))
        logits = F.linear(hidden, self._state["_fc.weight"], self._state["_fc.bias"])
        return logits.softmax(dim=1).mean(dim=0)

    def _normalised(self, hidden: Tensor) -> Tensor:
        names = ("running_mean", "running_var", "weight", "bias")
        mean, variance, weight, bias = (self._state[f"_bn1.{name}"] for name in names)
        return F.batch_norm(hidden, mean, variance, weight, bias, eps=1e-3)


def verdict_on(name: str, confidence: Tensor) -> str | None:
    """The class of an object labelled ``name``: that, another animal, or None to ignore it.

    confidence: (1000,) of ImageNet's classes.
    """
    own = _sum(confidence, OWN[name])
    if name not in ANIMALS:
        agrees = own + _sum(confidence, BESIDE.get(name, frozenset())) >= THING_KEPT
        return name if agrees or float(confidence.max()) < SURE_OF_ANOTHER else None
    if own >= ANIMAL_KEPT:
        return name
    likeliest = max(ANIMALS, key=lambda other: _sum(confidence, OWN[other]))
    return likeliest if _sum(confidence, OWN[likeliest]) >= ANIMAL_RENAMED else None


def filter_mask(
    pair: LabelledImage, classifier: Classifier, ids_of: dict[str, int]
) -> tuple[NDArray[np.uint8], list[tuple[str, str | None]]]:
    """(filtered (h, w) uint8 class ids, [(label, class or None) of each classified object])."""
    picture, ids = pair.read_image(), pair.read_mask().copy()
    before, found = ids.copy(), []
    for name in OWN:
        there = before == ids_of[name]
        if there.mean() < LEAST_SHARE:
            continue
        is_really = verdict_on(name, classifier(_crops(picture, there)))
        ids[there] = IGNORE if is_really is None else ids_of[is_really]
        found.append((name, is_really))
    return ids, found


def _crops(picture: Image.Image, there: NDArray[np.bool_]) -> list[Image.Image]:
    """Square crops of the object, one for each margin."""
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    crops = []
    for margin in MARGINS:
        reach = int(margin * max(bottom - top, right - left))
        box = (
            max(int(left) - reach, 0),
            max(int(top) - reach, 0),
            min(int(right) + reach, picture.width),
            min(int(bottom) + reach, picture.height),
        )
        crops.append(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box))
    return crops


def _sum(confidence: Tensor, classes: frozenset[int]) -> float:
    return float(confidence[sorted(classes)].sum()) if classes else 0.0


def filter_folder(folder: Path, output: Path) -> Counter[tuple[str, str]]:
    """Copy ``folder`` with filtered masks; (label, class or "ignored") -> number of objects.

    Raises DataError or BackboneError.
    """
    pairs, listed = list_pairs(folder), folder / TRUSTED
    trusted = read_names(listed, pairs) if listed.exists() else frozenset()
    classifier, ids_of = Classifier(), voc_ids()
    for part in (IMAGES, MASKS):
        (output / part).mkdir(parents=True, exist_ok=True)
    if listed.exists():
        shutil.copyfile(listed, output / TRUSTED)
    became: Counter[tuple[str, str]] = Counter()
    for pair in tqdm(pairs, "asking", disable=None):
        shutil.copyfile(pair.image, output / IMAGES / pair.image.name)
        ids = pair.read_mask()
        if pair.name not in trusted:
            ids, found = filter_mask(pair, classifier, ids_of)
            became.update((name, is_really or "ignored") for name, is_really in found)
        Image.fromarray(ids).save(output / MASKS / pair.mask.name)
    return became


def table(became: Counter[tuple[str, str]]) -> str:
    """A table of the objects kept, ignored and renamed, by class."""
    rows = [f"{'class':<12} {'kept':>6} {'ignored':>8} renamed"]
    for name in OWN:
        renamed = {to: n for (of, to), n in became.items() if of == name and to in OWN and to != of}
        shown = ", ".join(f"{n} {to}" for to, n in sorted(renamed.items()))
        rows.append(f"{name:<12} {became[name, name]:>6} {became[name, 'ignored']:>8} {shown}")
    return "\n".join(rows)
