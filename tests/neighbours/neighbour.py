"""A sound image file beside those that people usually send, and what the model must see of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE = (48, 32)  # width, height
UNSUPPORTED = 415
Levels = NDArray[np.generic]


@dataclass(frozen=True)
class Neighbour:
    """A file with its right answer.

    seen: (h, w, 3) uint8 RGB, upright, on white; None if the kind is refused with 415.
    tolerance: largest difference of a sample, in levels of 255.
    """

    name: str
    data: bytes
    seen: NDArray[np.uint8] | None
    tolerance: int = 0


def noise(channels: int, seed: int = 0) -> NDArray[np.float64]:
    """(h, w, channels) of random levels in 0..1, both ends included: any misplaced pixel shows."""
    width, height = SIZE
    levels = np.random.default_rng(seed).random((height, width, channels))
    levels[0, 0], levels[-1, -1] = 0, 1
    return levels


def to_8_bit(levels: Levels) -> NDArray[np.uint8]:
    """The documented scale: 8 bits as they are, 16 by the high byte, all others stretched."""
    if levels.dtype == bool:
        return np.where(levels, 255, 0).astype(np.uint8)
    if levels.dtype == np.uint8:
        return levels.astype(np.uint8)
    if levels.dtype == np.uint16:
        return (levels.astype(np.uint32) >> 8).astype(np.uint8)
    exact: NDArray[np.float64] = levels.astype(np.float64)
    stretched = (exact - exact.min()) / float(np.ptp(exact)) * 255
    return np.asarray(stretched, dtype=np.float64).astype(np.uint8)


def on_white(
    colours: NDArray[np.uint8], alpha: NDArray[np.uint8], *, premultiplied: bool = False
) -> NDArray[np.uint8]:
    """(h, w, 3) uint8: colours of (h, w, 1 or 3) composited on white by (h, w) alpha."""
    share = alpha[..., np.newaxis] / 255.0
    front = colours * (1.0 if premultiplied else share)
    return as_rgb(np.rint(np.minimum(front + 255 * (1 - share), 255)).astype(np.uint8))


def as_rgb(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) from (h, w), (h, w, 1) or (h, w, 3)."""
    if levels.ndim == 2:
        levels = levels[..., np.newaxis]
    return np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels
