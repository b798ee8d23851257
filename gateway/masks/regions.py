"""What a mask says about each class: its pixels, its bounding box, and its COCO run lengths."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

# Run lengths that are written at once, so that the table of their characters stays small.
_SLAB: Final = 1 << 18


@dataclass(frozen=True)
class Region:
    """All pixels of one class in a mask."""

    class_id: int
    pixels: int
    # x, y, width, height.
    bbox: tuple[int, int, int, int]
    # COCO's compressed counts, column by column, for the size [height, width].
    rle: str


def regions(ids: NDArray[np.uint8]) -> tuple[Region, ...]:
    """The regions of (height, width) uint8 class ids, in ascending order of class id."""
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
    """Where, counting pixels column by column, another class begins; ascending, from 0.

    The mask itself is not transposed, which would take ten times as long as comparing its rows.
    """
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
    """Around runs of which the first and the last pixel are given."""
    left, right = int(starts[0]) // height, int(lasts[-1]) // height
    columns, tops = np.divmod(starts, height)
    bottoms = lasts - columns * height
    # A run that goes on in the next column touches the bottom of one and the top of the other.
    if bottoms.max() >= height:
        return left, 0, right - left + 1, height
    top = int(tops.min())
    return left, top, right - left + 1, int(bottoms.max()) - top + 1


def _counts(starts: Integers, ends: Integers, size: int) -> Integers:
    """COCO's counts: pixels outside and inside in turn, outside first, nothing at the end."""
    edges = np.empty(2 * len(starts) + 1, np.int64)
    edges[0], edges[1::2], edges[2::2] = 0, starts, ends
    counts = np.diff(edges, append=size)
    return counts if counts[-1] else counts[:-1]


def _compressed(counts: Integers) -> str:
    """COCO's string: from the fourth on as differences to the last but one; then as characters."""
    differences = counts.copy()
    differences[3:] -= counts[1:-2]
    slabs = range(0, len(differences), _SLAB)
    return b"".join(_characters(differences[at : at + _SLAB]) for at in slabs).decode("ascii")


def _characters(numbers: Integers) -> bytes:
    """Signed numbers, five bits a character from 48 on, lowest first; 32 more if more follow."""
    longest = int(np.abs(numbers).max()).bit_length() // 5 + 1
    shifted = numbers[:, np.newaxis] >> 5 * np.arange(longest)
    # The rest is said when all higher bits equal this group's highest, which is the sign.
    rest = shifted >> 4
    more = (rest != 0) & (rest != -1)
    written = np.ones(shifted.shape, np.bool_)
    written[:, 1:] = more[:, :-1]
    characters = (shifted & 31) + 48 + 32 * more
    return bytes(characters[written].astype(np.uint8))
