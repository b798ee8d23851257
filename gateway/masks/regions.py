"""Regions of a mask: pixels, bounding box and COCO run lengths of each class."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

# Run lengths encoded at once, which bounds the size of the intermediate arrays.
_SLAB: Final = 1 << 18


@dataclass(frozen=True)
class Region:
    """All pixels of one class in a mask.

    bbox: x, y, width, height.
    rle: COCO's compressed counts, column by column, for the size [height, width].
    """

    class_id: int
    pixels: int
    bbox: tuple[int, int, int, int]
    rle: str


def regions(ids: NDArray[np.uint8]) -> tuple[Region, ...]:
    """Return the regions of (height, width) uint8 class ids, in ascending order of class id."""
    height, _ = ids.shape
    starts = _starts(ids)
    columns, rows = np.divmod(starts, height)
    classes = ids[rows, columns]
    ends = np.append(starts[1:], ids.size)
    order = np.argsort(classes, kind="stable")
    runs = np.bincount(classes)
    stops = np.cumsum(runs)
    return tuple(
        _region(int(class_id), starts[chosen], ends[chosen], ids.shape)
        for class_id in np.flatnonzero(runs)
        for chosen in [order[stops[class_id] - runs[class_id] : stops[class_id]]]
    )


def _starts(ids: NDArray[np.uint8]) -> Integers:
    """Return the starts of all runs, ascending from 0, as pixel numbers counted by column."""
    # Transposing the mask would take ten times as long as comparing its rows.
    height, width = ids.shape
    rows, columns = np.divmod(np.flatnonzero(ids[1:] != ids[:-1]), width)
    tops = np.flatnonzero(ids[0, 1:] != ids[-1, :-1]) + 1
    starts = np.concatenate(([0], tops * height, columns * height + rows + 1))
    starts.sort()
    return starts


def _region(class_id: int, starts: Integers, ends: Integers, shape: tuple[int, int]) -> Region:
    return Region(
        class_id=class_id,
        pixels=int((ends - starts).sum()),
        bbox=_bbox(starts, ends - 1, shape[0]),
        rle=_compressed(_counts(starts, ends, shape[0] * shape[1])),
    )


def _bbox(starts: Integers, lasts: Integers, height: int) -> tuple[int, int, int, int]:
    """Return the bounding box of runs, given their first and last pixels."""
    left, right = int(starts[0]) // height, int(lasts[-1]) // height
    columns, tops = np.divmod(starts, height)
    bottoms = lasts - columns * height
    # A run that continues in the next column touches the bottom of one and the top of the other.
    if bottoms.max() >= height:
        return left, 0, right - left + 1, height
    top = int(tops.min())
    return left, top, right - left + 1, int(bottoms.max()) - top + 1


def _counts(starts: Integers, ends: Integers, size: int) -> Integers:
    """Return COCO's counts: lengths of runs, alternately outside and inside, without a last 0."""
    edges = np.empty(2 * len(starts) + 1, np.int64)
    edges[0], edges[1::2], edges[2::2] = 0, starts, ends
    counts = np.diff(edges, append=size)
    return counts if counts[-1] else counts[:-1]


def _compressed(counts: Integers) -> str:
    """Return COCO's string of counts."""
    differences = counts.copy()
    # From the fourth on, a count is stored as its difference to the last but one.
    differences[3:] -= counts[1:-2]
    slabs = range(0, len(differences), _SLAB)
    return b"".join(_characters(differences[at : at + _SLAB]) for at in slabs).decode("ascii")


def _characters(numbers: Integers) -> bytes:
    """Encode signed numbers in groups of five bits, lowest first; 48 added, 80 if more follow."""
    longest = int(np.abs(numbers).max()).bit_length() // 5 + 1
    shifted = numbers[:, np.newaxis] >> 5 * np.arange(longest)
    # A number is complete when all higher bits equal the highest bit of this group, its sign.
    rest = shifted >> 4
    more = (rest != 0) & (rest != -1)
    written = np.ones(shifted.shape, np.bool_)
    written[:, 1:] = more[:, :-1]
    characters = (shifted & 31) + 48 + 32 * more
    return bytes(characters[written].astype(np.uint8))
