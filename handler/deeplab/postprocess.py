"""From the network's class ids to the full-size mask: resizing, pixel counts, PNG."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.png import NO_FILTER, encode_repeated

LONG_RUN = 4  # mean number of output columns per input column


@dataclass(frozen=True)
class Mask:
    """Class ids at the image's size, as repeated rows: the network has fewer rows than the image.

    scanlines: (n, 1 + width) uint8, the distinct rows as in a PNG, starting with a filter byte.
    repeats: (n,) how many rows of the image each of them is, at least 1.
    """

    scanlines: NDArray[np.uint8]
    repeats: NDArray[np.intp]

    @property
    def ids(self) -> NDArray[np.uint8]:
        """(height, width) uint8 class ids, a new array each time."""
        return np.repeat(self.scanlines[:, 1:], self.repeats, axis=0)


def full_size(ids: NDArray[np.uint8], size: tuple[int, int]) -> Mask:
    """Resize (h, w) uint8 class ids to (width, height) by NEAREST.

    The only place where class ids are resized: any other filter would mix ids, and a mixture of
    two ids is a third class that the network never predicted.
    """
    width, height = size
    repeats = _repeats(len(ids), height)
    shown = repeats > 0  # an image with fewer rows than the network's output skips some of them
    rows = np.full((np.count_nonzero(shown), 1 + ids.shape[1]), NO_FILTER, dtype=np.uint8)
    rows[:, 1:] = ids[shown]
    scanlines = _stretch_columns(rows, np.append(1, _repeats(ids.shape[1], width)))
    return Mask(scanlines, repeats[shown])


def _stretch_columns(rows: NDArray[np.uint8], repeats: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Repeat each column: (n, w) uint8, (w,) repeats -> (n, sum of repeats) uint8."""
    if repeats.sum() > LONG_RUN * len(repeats):
        return np.repeat(rows, repeats, axis=1)
    # Twice as fast for short runs; the index takes eight bytes per column.
    return rows.take(np.repeat(np.arange(len(repeats)), repeats), axis=1)


def resize_class_ids(ids: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize (h, w) uint8 class ids to (height, width) uint8, as `full_size` does."""
    return full_size(ids, size).ids


def _repeats(inputs: int, outputs: int) -> NDArray[np.intp]:
    """(inputs,) how many output positions have their centre in the area of each input."""
    first = -((inputs - 2 * outputs * np.arange(inputs + 1)) // (2 * inputs))
    return np.diff(first)


def count_classes(mask: Mask) -> dict[int, int]:
    """Class id -> number of pixels, for the classes present, in ascending order of id."""
    counts = np.zeros(256, dtype=np.int64)
    for times in np.unique(mask.repeats):
        rows = mask.scanlines[mask.repeats == times, 1:]
        # Not np.bincount, which converts the ids to 64-bit integers first.
        counts += times * np.array(Image.fromarray(rows).histogram())
    return {int(index): int(counts[index]) for index in np.flatnonzero(counts)}


def keep_classes(ids: NDArray[np.uint8], classes: frozenset[int]) -> NDArray[np.uint8]:
    """(h, w) uint8 class ids with every class that is not in ``classes`` set to background (0)."""
    table = np.zeros(256, dtype=np.uint8)
    kept = list(classes)
    table[kept] = kept
    return table[ids]


def encode_mask(mask: Mask) -> bytes:
    """Encode the class ids as an 8-bit grey PNG."""
    return encode_repeated(mask.scanlines, mask.repeats)
