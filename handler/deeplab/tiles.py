"""Tiles: the windows in which a network looks at a large image.

The image is resized to a canvas on which every tile has the network's own input size. Tiles begin
on whole steps of the network's coarse output, so that the logits of all of them lie on one raster.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplab.errors import TooManyTilesError
from deeplab.spec import InputSize, Tile

MAX_TILES = 64  # of one image
SMALLEST, LARGEST = 32, 9999  # the side of a tile in pixels of the image
AUTO_REDUCTION = 1.5  # pixels of the image for one of the network's input
# Below this many network inputs side by side, one look shows an image large enough.
WORTH_IT = 1.5
OVERLAP = 0.25  # of a tile, at least, with each neighbour
UNIT = 32  # pixels of the network's input between two places where a tile may begin
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
