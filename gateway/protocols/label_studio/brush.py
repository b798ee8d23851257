"""Label Studio's run-length encoding of brush masks, its format "rle"."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Label Studio stores red, green, blue and alpha of each pixel, all 0 or all 255.
_CHANNELS: Final = 4
_VALUE_BITS: Final = 8
# The length of a run, less one, is written in the smallest of these numbers of bits.
_LENGTH_BITS: Final = np.array([3, 4, 8, 16])
_LONGEST: Final = 1 << 16
_WORD_BITS: Final = 32


def brush_rle(mask: NDArray[np.bool_]) -> list[int]:
    """Encode a (height, width) bool mask as a list of bytes, 0..255.

    After 53 bits of header, each run takes 1 bit that marks a run, 2 bits for the number of bits of
    its length, the length less one, and 8 bits of value. The source is the package label_studio_sdk
    (converter/brush.py), whose output this equals.
    """
    sizes, lengths, values = _runs(mask)
    words = ((1 << 2 | sizes) << _LENGTH_BITS[sizes] | lengths - 1) << _VALUE_BITS | values
    header = _bits(np.array([mask.size * _CHANNELS]), np.array([_WORD_BITS]))
    layout = _bits(np.array([_VALUE_BITS - 1, *(_LENGTH_BITS - 1)]), np.array([5, 4, 4, 4, 4]))
    runs = _bits(words, 1 + 2 + _LENGTH_BITS[sizes] + _VALUE_BITS)
    bits = np.concatenate((header, layout, runs))
    # Label Studio pads the last byte, or adds an empty byte if there is nothing to pad.
    filled = np.pad(bits, (0, 8 - len(bits) % 8))
    return [int(byte) for byte in np.packbits(filled)]


def _runs(
    mask: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the index in _LENGTH_BITS, the length and the value of each run, row by row."""
    flat = mask.ravel()
    starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)
    lengths = np.diff(starts, append=flat.size) * _CHANNELS
    sizes = np.searchsorted(1 << _LENGTH_BITS[:-1], lengths)
    # A longer run is split into several of the greatest length and the remainder.
    pieces = -(-lengths // _LONGEST)
    split = np.full(pieces.sum(), _LONGEST)
    split[np.cumsum(pieces) - 1] = lengths - (pieces - 1) * _LONGEST
    values = flat[starts] * np.int64(255)
    return np.repeat(sizes, pieces), split, np.repeat(values, pieces)


def _bits(words: NDArray[np.int64], widths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Concatenate the lowest bits of each word, as many as its width, highest bit first."""
    raised = (words << _WORD_BITS - widths).astype(">u4")
    table = np.unpackbits(raised.view(np.uint8)).reshape(-1, _WORD_BITS)
    return table[np.arange(_WORD_BITS) < widths[:, np.newaxis]]
