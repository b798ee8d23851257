"""Label Studio's run lengths of a brush: what its editor draws and stores as format "rle"."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Of a pixel Label Studio stores red, green, blue and alpha, all 0 or all 255.
_CHANNELS: Final = 4
_VALUE_BITS: Final = 8
# A run is written with the smallest of these numbers of bits that holds its length less one.
_LENGTH_BITS: Final = np.array([3, 4, 8, 16])
_LONGEST: Final = 1 << 16
_WORD_BITS: Final = 32


def brush_rle(mask: NDArray[np.bool_]) -> list[int]:
    """The bytes of a (height, width) bool mask in Label Studio's packing, as it has them in JSON.

    After 53 bits of header each run takes 1 bit that says so, 2 that say how many bits its length
    has, the length less one, and 8 bits of value. The source is the package label_studio_sdk
    (converter/brush.py), whose output this equals.
    """
    sizes, lengths, values = _runs(mask)
    words = ((1 << 2 | sizes) << _LENGTH_BITS[sizes] | lengths - 1) << _VALUE_BITS | values
    header = _bits(np.array([mask.size * _CHANNELS]), np.array([_WORD_BITS]))
    layout = _bits(np.array([_VALUE_BITS - 1, *(_LENGTH_BITS - 1)]), np.array([5, 4, 4, 4, 4]))
    runs = _bits(words, 1 + 2 + _LENGTH_BITS[sizes] + _VALUE_BITS)
    bits = np.concatenate((header, layout, runs))
    # Label Studio fills up the last byte, and adds an empty one if it is full.
    filled = np.pad(bits, (0, 8 - len(bits) % 8))
    return [int(byte) for byte in np.packbits(filled)]


def _runs(
    mask: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of each run, row by row: which of the four sizes it is written in, its length, its value."""
    flat = mask.ravel()
    starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)
    lengths = np.diff(starts, append=flat.size) * _CHANNELS
    sizes = np.searchsorted(1 << _LENGTH_BITS[:-1], lengths)
    # Longer runs are written as several of the longest and one for what is left.
    pieces = -(-lengths // _LONGEST)
    split = np.full(pieces.sum(), _LONGEST)
    split[np.cumsum(pieces) - 1] = lengths - (pieces - 1) * _LONGEST
    values = flat[starts] * np.int64(255)
    return np.repeat(sizes, pieces), split, np.repeat(values, pieces)


def _bits(words: NDArray[np.int64], widths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The lowest bits of each word, as many as its width, highest first, one after the other."""
    raised = (words << _WORD_BITS - widths).astype(">u4")
    table = np.unpackbits(raised.view(np.uint8)).reshape(-1, _WORD_BITS)
    return table[np.arange(_WORD_BITS) < widths[:, np.newaxis]]
