"""Tiles: the windows in which a network looks at a large image, and the blending of their logits.

The image is resized to a canvas on which every tile has the network's own input size. Tiles begin
on whole steps of the network's coarse output, so that the logits of all of them lie on one raster
and blending is a weighted mean.

A tile shows small objects, but of a large one only a part that it cannot name. So where a look at
the whole image finds an object, that look decides (decision record 0050).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from deeplab.errors import TooManyTilesError
from deeplab.spec import InputSize, Tile

MAX_TILES = 64  # of one image
SMALLEST, LARGEST = 32, 9999  # the side of a tile in pixels of the image
AUTO_REDUCTION = 1.5  # pixels of the image for one of the network's input
# Below this many network inputs side by side, one look shows an image large enough.
WORTH_IT = 1.5
OVERLAP = 0.25  # of a tile, at least, with each neighbour
CAUTION = 2  # exponent of the probability with which the look at the whole counts
UNIT = 32  # pixels of the network's input between two places where a tile may begin
FINEST = 4  # pixels of the network's input for one place of the blended logits
MAX_VALUES = 16_000_000  # blended logits: 64 MB
GROWTH = 1.1  # of an automatic tile, until few enough are needed


@dataclass(frozen=True)
class Axis:
    """The tiles along one axis of the canvas.

    tile: length of a tile in units. starts: first unit of each tile. length: of the canvas in
    units. pixels: length of a tile in pixels of the network's input. edge: 1 on a grid, whose
    logits lie on both ends of a unit, otherwise 0.
    """

    tile: int
    starts: tuple[int, ...]
    length: int
    pixels: int
    edge: int

    @property
    def canvas(self) -> int:
        """Length of the canvas in pixels."""
        return self.offset(self.length) + self.edge

    def offset(self, units: int) -> int:
        """The pixel of the canvas at which a unit begins."""
        return round(units * (self.pixels - self.edge) / self.tile)


@dataclass(frozen=True)
class Plan:
    """The tiles of one image, row by row."""

    rows: Axis
    columns: Axis

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the canvas in pixels."""
        return self.columns.canvas, self.rows.canvas

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.rows.starts) * len(self.columns.starts)

    def windows(self) -> Iterator[tuple[int, int]]:
        """(row, column) of each tile's first unit."""
        for row in self.rows.starts:
            for column in self.columns.starts:
                yield row, column

    def crop(self, canvas: NDArray[np.uint8], window: tuple[int, int]) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 canvas -> the (1, h', w', 3) uint8 pixels of a tile, contiguous."""
        top, left = self.rows.offset(window[0]), self.columns.offset(window[1])
        part = canvas[top : top + self.rows.pixels, left : left + self.columns.pixels]
        return np.ascontiguousarray(part)[np.newaxis]


def plan_tiles(
    size: tuple[int, int], input_size: InputSize, tile: Tile, max_tiles: int = MAX_TILES
) -> Plan | None:
    """The tiles of an upright image of (width, height); None where one look is enough.

    tile: the side in pixels of the image. Raises TooManyTilesError if a side that was asked for
    needs more than ``max_tiles``; an automatic one grows until it does not.
    """
    if tile == "off":
        return None
    network = _tile_size(size, input_size)
    longest = max(network)
    if tile != "auto":
        return _asked_for(size, input_size, tile, max_tiles)
    side = longest * (1.0 if input_size.fit == "native" else AUTO_REDUCTION)
    if max(size) <= side * WORTH_IT:
        return None
    plan = _plan(size, input_size, side)
    while plan.count > max_tiles:
        side *= GROWTH
        plan = _plan(size, input_size, side)
    return plan if plan.count > 1 else None


def _asked_for(
    size: tuple[int, int], input_size: InputSize, tile: int, max_tiles: int
) -> Plan | None:
    if tile >= max(size):
        return None
    plan = _plan(size, input_size, tile)
    if plan.count > max_tiles:
        raise TooManyTilesError(
            f"Tiles of {tile} pixels would be {plan.count} for a picture of {size[0]} x {size[1]}, "
            f"the limit is {max_tiles}. Ask for larger ones, or for tile=auto."
        )
    return plan


def _tile_size(size: tuple[int, int], input_size: InputSize) -> tuple[int, int]:
    """(width, height) of a tile in pixels of the network's input.

    A square, unless the network takes one size only: where its sides are bounded, a square shows
    most at once.
    """
    if input_size.fit == "fixed":
        return input_size.width, input_size.height
    side = input_size.short_side if input_size.fit == "short_side" else input_size.long_side
    unit = input_size.grid if input_size.grid > 1 else math.lcm(UNIT, input_size.multiple)
    edge = int(input_size.grid > 1)
    length = max(1, round((side - edge) / unit)) * unit + edge
    return length, length


def _plan(size: tuple[int, int], input_size: InputSize, side: float) -> Plan:
    network = _tile_size(size, input_size)
    scale = max(network) / side
    edge = int(input_size.grid > 1)
    unit = input_size.grid if input_size.grid > 1 else UNIT
    columns, rows = (
        _axis(pixels, length * scale, unit, edge)
        for pixels, length in zip(network, size, strict=True)
    )
    return Plan(rows, columns)


def _axis(pixels: int, length: float, unit: int, edge: int) -> Axis:
    """Tiles of ``pixels`` on a canvas of about ``length``, spread evenly."""
    tile = max(1, round((pixels - edge) / unit))
    units = max(tile, round(length * tile / pixels))
    overlap = min(tile - 1, math.ceil(tile * OVERLAP))
    count = 1 + math.ceil((units - tile) / (tile - overlap))
    last = max(1, count - 1)
    starts = tuple(round(index * (units - tile) / last) for index in range(count))
    return Axis(tile, starts, units, pixels, edge)


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
        they count the more, the surer that look is of an object.
        """
        tiles: NDArray[np.float32] = self._sum / self._weights
        if whole is None:
            return tiles
        look = _resized(whole, self._weights.shape, aligned=bool(self._plan.rows.edge))
        exponentials = np.exp(look - look.max(axis=0))
        objects = (1 - exponentials[0] / exponentials.sum(axis=0)) ** CAUTION
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
            _ramp(_places(rows.tile, rows, self._factor)),
            _ramp(_places(columns.tile, columns, self._factor)),
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


def _ramp(length: int) -> NDArray[np.float32]:
    """(length,) float32 weights, rising from the ends over half of the least overlap and more."""
    at = (np.arange(length, dtype=np.float32) + 0.5) / length
    return np.minimum(1.0, np.minimum(at, 1 - at) / OVERLAP).astype(np.float32)


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
