"""Blend: one map of logits for a large image, from those of its tiles and of a look at the whole.

A tile shows small objects, but of a large one only a part that the network cannot name. So where a
look at the whole image finds an object that is larger than most of a tile, that look decides
(decision record 0050).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from deeplab.tiles import UNIT, Axis, Plan

FINEST = 4  # pixels of the network's input for one place of the blended logits
MAX_VALUES = 16_000_000  # blended logits: 64 MB
LARGE = 0.75  # of a tile's side: an object of this size is no tile's to decide
CAUTION = 2  # exponent of the probability with which the look at the whole counts


class Blend:
    """The weighted mean of the tiles' logits on the raster of the whole canvas."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._factor = 0  # places of the raster per unit, known from the first logits
        self._sum = np.zeros((0, 0, 0), dtype=np.float32)
        self._weights = np.zeros((0, 0), dtype=np.float32)
        self._window = np.zeros((0, 0), dtype=np.float32)

    def add(self, window: tuple[int, int], logits: NDArray[np.float32]) -> None:
        """Add a tile. window: its first units; logits: (classes, h', w') float32, copied."""
        if not self._factor:
            self._begin(logits)
        rows, columns = self._plan.rows, self._plan.columns
        top, left = window[0] * self._factor, window[1] * self._factor
        height, width = self._window.shape
        place = slice(top, top + height), slice(left, left + width)
        tile = _resized(logits, (height, width), aligned=bool(rows.edge or columns.edge))
        self._sum[:, place[0], place[1]] += tile * self._window
        self._weights[place] += self._window

    def logits(self, whole: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """(classes, h, w) float32 logits of the whole canvas.

        whole: (classes, h', w') logits of a look at the whole image, whose class 0 is background;
        they decide where that look finds an object that no tile shows as a whole.
        """
        tiles: NDArray[np.float32] = self._sum / self._weights
        if whole is None:
            return tiles
        look = _resized(whole, self._weights.shape, aligned=bool(self._plan.rows.edge))
        objects = _large_objects(look, self._window.shape) ** CAUTION
        blended: NDArray[np.float32] = tiles + objects * (look - tiles)
        return blended

    def _begin(self, logits: NDArray[np.float32]) -> None:
        rows, columns = self._plan.rows, self._plan.columns
        self._factor = _places_per_unit(self._plan, logits.shape)
        canvas = (
            _places(rows.length, rows, self._factor),
            _places(columns.length, columns, self._factor),
        )
        self._sum = np.zeros((len(logits), *canvas), dtype=np.float32)
        self._weights = np.zeros(canvas, dtype=np.float32)
        self._window = np.outer(
            _fading(_places(rows.tile, rows, self._factor)),
            _fading(_places(columns.tile, columns, self._factor)),
        )


def _places(units: int, axis: Axis, factor: int) -> int:
    return units * factor + axis.edge


def _places_per_unit(plan: Plan, shape: tuple[int, ...]) -> int:
    """How finely the logits are blended: as the network gives them, within bounds.

    On a grid that is 1. Otherwise a power of two, no finer than ``FINEST`` and ``MAX_VALUES``.
    """
    rows, columns = plan.rows, plan.columns
    if rows.edge:
        return 1
    factor = 1
    while 2 * factor * rows.tile <= shape[1] and 2 * factor * FINEST <= UNIT:
        factor *= 2
    while factor > 1 and shape[0] * rows.length * columns.length * factor**2 > MAX_VALUES:
        factor //= 2
    return factor


def _fading(length: int) -> NDArray[np.float32]:
    """(length,) float32 weights of a tile's places: most in its middle (Hann's window)."""
    at = (np.arange(length, dtype=np.float32) + 0.5) / length
    return np.sin(np.pi * at, dtype=np.float32) ** 2


def _large_objects(logits: NDArray[np.float32], tile: tuple[int, ...]) -> NDArray[np.float32]:
    """(h, w) probability, 0..1, of an object that is larger than most of a tile.

    Grey opening: what no window of ``LARGE`` tiles fits into is left out.
    """
    exponentials = np.exp(logits - logits.max(axis=0))
    probability = torch.from_numpy(1 - exponentials[0] / exponentials.sum(axis=0))
    window = tuple(int(side * LARGE) | 1 for side in tile)
    inside = -_largest_nearby(-probability, window)
    opened: NDArray[np.float32] = _largest_nearby(inside, window).minimum(probability).numpy()
    return opened


def _largest_nearby(values: torch.Tensor, window: tuple[int, ...]) -> torch.Tensor:
    """(h, w): the maximum in a window of odd sides around each place, row by row and then down."""
    height, width = window
    rows = F.max_pool2d(values[None, None], (1, width), stride=1, padding=(0, width // 2))
    return F.max_pool2d(rows, (height, 1), stride=1, padding=(height // 2, 0))[0, 0]


def _resized(
    logits: NDArray[np.float32], size: tuple[int, int], *, aligned: bool
) -> NDArray[np.float32]:
    """(classes, h, w) -> (classes, height, width); averages where it shrinks."""
    if logits.shape[1:] == size:
        return logits
    shrinks = logits.shape[1] > size[0] and not aligned
    resized = F.interpolate(
        torch.from_numpy(np.ascontiguousarray(logits))[np.newaxis],
        size,
        mode="bilinear",
        align_corners=aligned,
        antialias=shrinks,
    )
    blended: NDArray[np.float32] = resized[0].numpy()
    return blended
