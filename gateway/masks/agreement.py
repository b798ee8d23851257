"""Agreement of two masks of one image: pixels of the same class, intersection and union."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Of a class that the first model does not have; no class has this id.
NO_CLASS: Final = 255
_IDS: Final = 256
# Pixels that are counted at a time: each needs ten bytes meanwhile.
_BLOCK: Final = 1 << 20


class DifferentSizesError(ValueError):
    """The masks are not of one image."""


@dataclass(frozen=True)
class Agreement:
    """The comparison of two masks, in pixels.

    agreeing: of the same class. classes: class id -> (intersection, union), of the classes that
    either mask has.
    """

    pixels: int
    agreeing: int
    classes: Mapping[int, tuple[int, int]]


def matching_ids(first: Mapping[int, str], second: Mapping[int, str]) -> NDArray[np.uint8]:
    """Return the first model's id for each id of the second, by name whatever its case.

    first, second: class id -> name. Shape (256,), uint8; NO_CLASS where the first lacks the class.
    Without names, ids stand for themselves.
    """
    if not first or not second:
        return np.arange(_IDS, dtype=np.uint8)
    table = np.full(_IDS, NO_CLASS, np.uint8)
    by_name = {name.casefold(): class_id for class_id, name in first.items()}
    for class_id, name in second.items():
        table[class_id] = by_name.get(name.casefold(), NO_CLASS)
    return table


def agreement(
    first: NDArray[np.uint8], second: NDArray[np.uint8], ids: NDArray[np.uint8] | None = None
) -> Agreement:
    """Compare two masks: (height, width) uint8 class ids.

    ids: from `matching_ids`. Raises DifferentSizesError for masks that are not of one image:
    they are never resized.
    """
    if first.shape != second.shape:
        sizes = " and ".join(f"{width} x {height}" for height, width in (first.shape, second.shape))
        raise DifferentSizesError(f"masks of {sizes} pixels")
    pairs = _count_pairs(first, second, matching_ids({}, {}) if ids is None else ids)
    both = np.diagonal(pairs).copy()
    # What the first model has under this id is not what the second has beyond its classes.
    both[NO_CLASS] = 0
    union = pairs.sum(axis=0) + pairs.sum(axis=1) - both
    classes = {int(each): (int(both[each]), int(union[each])) for each in np.flatnonzero(union)}
    return Agreement(int(first.size), int(both.sum()), classes)


def _count_pairs(
    first: NDArray[np.uint8], second: NDArray[np.uint8], ids: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Return how many pixels have each pair of ids, (256, 256): first's id, then second's."""
    counts = np.zeros(_IDS * _IDS, np.int64)
    rows = max(1, _BLOCK // max(1, first.shape[1]))
    for start in range(0, first.shape[0], rows):
        pairs = first[start : start + rows].astype(np.uint16) << 8
        pairs |= ids[second[start : start + rows]]
        counts += np.bincount(pairs.ravel(), minlength=_IDS * _IDS)
    return counts.reshape(_IDS, _IDS)
