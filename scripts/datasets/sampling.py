"""Class-balanced sampling: images of rare classes and trusted masks are drawn more often."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from scripts.datasets.crops import Augmentation, Sample, cut, paste
from scripts.datasets.voc import InspectedImage

PRESENT = 0.01  # share of a picture's pixels from which on it counts as a picture of the class


@dataclass(frozen=True)
class Balance:
    """The weighting of the images.

    power: 0 draws every picture equally often, 1 every class.
    trusted: names of the pictures with masks drawn by people.
    trust: how many times as often these are drawn.
    pasted: share of the samples onto which an object of another picture is pasted.
    """

    power: float = 0.5
    trusted: frozenset[str] = frozenset()
    trust: float = 2.0
    pasted: float = 0.35


def class_frequencies(pictures: Sequence[InspectedImage], classes: int) -> NDArray[np.float64]:
    """(classes,) share of the pictures in which a class covers at least PRESENT, above 0."""
    present = np.stack([_present(picture, classes) for picture in pictures])
    shares: NDArray[np.float64] = np.maximum(present.mean(axis=0), 1 / len(pictures))
    return shares


def picture_weights(
    pictures: Sequence[InspectedImage], classes: int, balance: Balance
) -> NDArray[np.float64]:
    """(pictures,) probability of each picture: that of its rarest class, times the trust."""
    rarity = class_frequencies(pictures, classes) ** -balance.power
    weights = np.array(
        [
            np.max(rarity, where=_present(picture, classes), initial=1.0)
            * (balance.trust if picture.pair.name in balance.trusted else 1.0)
            for picture in pictures
        ]
    )
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


class Samples(Dataset[tuple[Tensor, Tensor]]):
    """A dataset in which sample ``index`` depends on the seed and the index only.

    So an interrupted training goes on as if it had not been interrupted.
    """

    def __init__(
        self,
        pictures: Sequence[InspectedImage],
        classes: int,
        balance: Balance,
        augmentation: Augmentation,
        seed: int,
        length: int,
    ):
        self._pictures = pictures
        self._balance = balance
        self._augmentation = augmentation
        self._seed = seed
        self._length = length
        self._weights = picture_weights(pictures, classes, balance)
        self._rarity = class_frequencies(pictures, classes) ** -1.0
        self._classes = classes

    @property
    def class_shares(self) -> list[float]:
        """(classes,) share of the known pixels in what is drawn, sum 1."""
        pixels = np.stack([each.pixels[: self._classes] for each in self._pictures])
        known = np.maximum(pixels.sum(axis=1, keepdims=True), 1)
        shares = self._weights @ (pixels / known)
        total: list[float] = (shares / shares.sum()).tolist()
        return total

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """((3, size, size) uint8 RGB, (size, size) uint8 class ids, 255 = ignore)."""
        rng = np.random.default_rng((self._seed, index))
        sample, _ = self._draw(rng)
        if rng.random() < self._balance.pasted:
            over, class_id = self._draw(rng)
            sample = paste(sample, over, class_id) if class_id else sample
        image = np.ascontiguousarray(sample.image.transpose(2, 0, 1))
        return torch.from_numpy(image.copy()), torch.from_numpy(sample.ids.copy())

    def _draw(self, rng: np.random.Generator) -> tuple[Sample, int]:
        """(sample, the class it was drawn for; 0 if its image has none)."""
        picture = self._pictures[rng.choice(len(self._pictures), p=self._weights)]
        wanted = self._wanted(picture, rng)
        pair = picture.pair
        return cut(pair.read_image(), pair.read_mask(), wanted, self._augmentation, rng), wanted

    def _wanted(self, picture: InspectedImage, rng: np.random.Generator) -> int:
        present = _present(picture, self._classes)
        present[0] = False
        if not present.any():
            return 0
        chances = np.where(present, self._rarity, 0)
        return int(rng.choice(self._classes, p=chances / chances.sum()))


def _present(picture: InspectedImage, classes: int) -> NDArray[np.bool_]:
    present: NDArray[np.bool_] = picture.pixels[:classes] >= PRESENT * picture.pixels.sum()
    return present
