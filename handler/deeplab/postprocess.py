"""From the network's class ids to the answer: full size, PNG, and the facts about it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.png import NO_FILTER, encode_repeated

LONG_RUNS = 4  # columns that are the same, on average


@dataclass(frozen=True)
class Mask:
    """Class ids at a picture's size: rows that repeat, as the network has fewer.

    scanlines: (n, 1 + width) uint8, the different rows as PNG has them, a filter byte first.
    repeats: (n,) how many rows of the picture each of them is, at least 1.
    """

    scanlines: NDArray[np.uint8]
    repeats: NDArray[np.intp]

    @property
    def ids(self) -> NDArray[np.uint8]:
        """(height, width) uint8, made anew each time."""
        return np.repeat(self.scanlines[:, 1:], self.repeats, axis=0)


def full_size(ids: NDArray[np.uint8], size: tuple[int, int]) -> Mask:
    """Resize (h, w) uint8 class ids to (width, height) by NEAREST.

    The only place where class ids are resized: any other filter would mix ids, and a mixture of
    two ids is a third class that the network never predicted.
    """
    width, height = size
    repeats = _repeats(len(ids), height)
    shown = repeats > 0  # of a thin picture the network has more rows than it has itself
    filtered = np.full((np.count_nonzero(shown), 1 + ids.shape[1]), NO_FILTER, dtype=np.uint8)
    filtered[:, 1:] = ids[shown]
    scanlines = _stretched(filtered, np.append(1, _repeats(ids.shape[1], width)))
    return Mask(scanlines, repeats[shown])


def _stretched(rows: NDArray[np.uint8], repeats: NDArray[np.intp]) -> NDArray[np.uint8]:
    """(n, w) -> (n, sum of repeats): each column as often as it says."""
    if repeats.sum() > LONG_RUNS * len(repeats):
        return np.repeat(rows, repeats, axis=1)
    # Twice as fast where the runs are short. Its index takes eight bytes for each column.
    return rows.take(np.repeat(np.arange(len(repeats)), repeats), axis=1)


def resize_class_ids(ids: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w) uint8 class ids -> (height, width) uint8, as `full_size` does it."""
    return full_size(ids, size).ids


def _repeats(inputs: int, outputs: int) -> NDArray[np.intp]:
    """For each input how many output positions have their centre in its area."""
    first = -((inputs - 2 * outputs * np.arange(inputs + 1)) // (2 * inputs))
    return np.diff(first)


def count_classes(mask: Mask) -> dict[int, int]:
    """Class id -> number of pixels, for the classes present, in ascending order of id."""
    counts = np.zeros(256, dtype=np.int64)
    for times in np.unique(mask.repeats):
        rows = mask.scanlines[mask.repeats == times, 1:]
        # Not np.bincount: it makes 64-bit numbers of the ids first.
        counts += times * np.array(Image.fromarray(rows).histogram())
    return {int(index): int(counts[index]) for index in np.flatnonzero(counts)}


def keep_classes(ids: NDArray[np.uint8], classes: frozenset[int]) -> NDArray[np.uint8]:
    """(h, w) uint8 class ids with those of all other classes turned into background (0)."""
    table = np.zeros(256, dtype=np.uint8)
    kept = list(classes)
    table[kept] = kept
    return table[ids]


def encode_mask(mask: Mask) -> bytes:
    """An 8-bit grey PNG of the class ids."""
    return encode_repeated(mask.scanlines, mask.repeats)
