"""Resizing without antialiasing, with OpenCV's own fixed-point arithmetic.

A network that was trained on such images must see the same ones: one level of 255 at a few pixels
moves the edges of its masks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplab.spec import Interpolation

UNIT = 1 << 11  # the weights' denominator
BLOCK = 32  # rows of the result at a time: their intermediate values stay in the cache
SHARPNESS = np.float32(-0.75)  # of the cubic filter

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Taps:
    """The input positions that each output is mixed from, along one axis.

    positions, weights: (taps, outputs); the weights of an output add up to about UNIT.
    """

    positions: NDArray[np.intp]
    weights: Ints


def resize_as_opencv(
    image: NDArray[np.uint8], size: tuple[int, int], interpolation: Interpolation
) -> NDArray[np.uint8]:
    """Resize (h, w, 3) uint8 to (width, height) as ``cv2.resize`` does by default.

    Bit for bit for "bilinear" and "nearest". OpenCV's own "bicubic" differs between processors:
    here it is what it computes without their vector instructions, one level off here and there.
    """
    width, height = size
    if interpolation == "nearest":
        rows, columns = (
            _corners(outputs, inputs)
            for outputs, inputs in zip((height, width), image.shape[:2], strict=True)
        )
        return image[rows[:, np.newaxis], columns]
    if interpolation == "bicubic":
        return _mix(image, _cubic(width, image.shape[1]), _cubic(height, image.shape[0]), _rounded)
    if image.shape[:2] == (2 * height, 2 * width):
        return _halved(image)
    columns_taps, rows_taps = _linear(width, image.shape[1]), _linear(height, image.shape[0])
    return _mix(image, columns_taps, rows_taps, _truncated)


def _corners(outputs: int, inputs: int) -> NDArray[np.intp]:
    """(outputs,) the input position at each output's corner."""
    found = np.arange(outputs) * (1 / (outputs / inputs))
    return np.minimum(found.astype(np.intp), inputs - 1)


def _centres(outputs: int, inputs: int) -> tuple[NDArray[np.intp], Floats]:
    """(outputs,) the position before each output's centre, and the fraction behind it."""
    centres = ((np.arange(outputs) + 0.5) * (1 / (outputs / inputs)) - 0.5).astype(np.float32)
    before = np.floor(centres)
    return before.astype(np.intp), centres - before


def _linear(outputs: int, inputs: int) -> Taps:
    before, fraction = _centres(outputs, inputs)
    positions = np.stack([before, before + 1]).clip(0, inputs - 1)
    return Taps(positions, _fixed_point(np.stack([1 - fraction, fraction])))


def _cubic(outputs: int, inputs: int) -> Taps:
    before, fraction = _centres(outputs, inputs)
    sharp, one = SHARPNESS, np.float32(1)
    far, rest = fraction + one, one - fraction
    first = ((sharp * far - 5 * sharp) * far + 8 * sharp) * far - 4 * sharp
    second = ((sharp + 2) * fraction - (sharp + 3)) * fraction * fraction + one
    third = ((sharp + 2) * rest - (sharp + 3)) * rest * rest + one
    weights = np.stack([first, second, third, one - first - second - third])
    positions = (before + np.arange(-1, 3)[:, np.newaxis]).clip(0, inputs - 1)
    return Taps(positions, _fixed_point(weights))


def _fixed_point(weights: Floats) -> Ints:
    return np.rint(weights * np.float32(UNIT)).astype(np.int32)


# Mixes rows of UNIT times the levels, in place: (n, values) int32 of each tap, and its weights.
Vertical = Callable[[list[Ints], Ints], Ints]


def _mix(
    image: NDArray[np.uint8], columns: Taps, rows: Taps, vertical: Vertical
) -> NDArray[np.uint8]:
    """Mix the columns of the rows that are needed, then the rows, block by block."""
    height, width = rows.positions.shape[1], columns.positions.shape[1]
    weights = np.repeat(columns.weights, 3, axis=1)
    result = np.empty((height, width * 3), dtype=np.uint8)
    for start in range(0, height, BLOCK):
        block = slice(start, start + BLOCK)
        needed = np.unique(rows.positions[:, block])
        lines = _horizontal(image[needed], columns.positions, weights)
        places = np.searchsorted(needed, rows.positions[:, block])
        levels = vertical([lines[each] for each in places], rows.weights[:, block, np.newaxis])
        result[block] = levels.clip(0, 255, out=levels)
    return result.reshape(height, width, 3)


def _horizontal(lines: NDArray[np.uint8], positions: NDArray[np.intp], weights: Ints) -> Ints:
    """(n, w, 3) uint8 -> (n, 3 * width) int32, UNIT times the levels."""
    if positions.shape[1] == lines.shape[1]:
        return np.multiply(lines.reshape(len(lines), -1), UNIT, dtype=np.int32)
    total = np.zeros((len(lines), weights.shape[1]), dtype=np.int32)
    for position, weight in zip(positions, weights, strict=True):
        taken = np.take(lines, position, axis=1).reshape(total.shape).astype(np.int32)
        taken *= weight
        total += taken
    return total


def _truncated(lines: list[Ints], weights: Ints) -> Ints:
    """Levels as the vector instructions for two taps give them: truncated twice, then rounded."""
    total = np.full_like(lines[0], 2)
    for line, weight in zip(lines, weights, strict=True):
        line >>= 4
        line *= weight
        line >>= 16
        total += line
    total >>= 2
    return total


def _rounded(lines: list[Ints], weights: Ints) -> Ints:
    total = np.full_like(lines[0], UNIT * UNIT // 2)
    for line, weight in zip(lines, weights, strict=True):
        line *= weight
        total += line
    total >>= 22
    return total


def _halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Half the size: the one case in which OpenCV averages all four pixels."""
    wide = image.astype(np.uint16)
    total = wide[::2, ::2] + wide[1::2, ::2] + wide[::2, 1::2] + wide[1::2, 1::2] + 2
    return (total >> 2).astype(np.uint8)
