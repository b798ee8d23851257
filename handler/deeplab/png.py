"""PNG encoder: 8 bits per channel, one filter for all rows, compression by igzip."""

import functools
import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NO_FILTER, UP = 0, 2
COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # number of channels -> grey, RGB, RGBA
LEVEL = 1  # igzip's level 2 gives the same; 3 takes ten times as long and is rarely smaller
# Rows are filtered and compressed in bands of about this size: a filtered copy of all of them would
# double the memory that a large image takes.
BAND_BYTES = 1_000_000


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode (height, width) or (height, width, 3 or 4) uint8 as a grey, RGB or RGBA PNG."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    return _png((width, height), rows.shape[1] // width, _up_filtered(rows))


def encode_repeated(scanlines: NDArray[np.uint8], repeats: NDArray[np.intp]) -> bytes:
    """Encode few distinct rows as an unfiltered 8-bit grey PNG: suits large areas of one value.

    scanlines: (n, 1 + width) uint8, each starting with NO_FILTER.
    repeats: (n,) how often each of them is repeated.
    """
    ends = np.cumsum(repeats)
    height, row_bytes = int(ends[-1]), scanlines.shape[1]
    expanded = (
        scanlines[np.searchsorted(ends, np.arange(band.start, band.stop), side="right")]
        for band in bands(height, row_bytes, BAND_BYTES)
    )
    return _png((row_bytes - 1, height), 1, expanded)


def _up_filtered(rows: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Scanlines with PNG's filter Up: (height, n) uint8 -> bands of (band height, 1 + n) uint8."""
    for band in bands(len(rows), rows.shape[1], BAND_BYTES):
        part = rows[band]
        scanlines = np.empty((len(part), 1 + rows.shape[1]), dtype=np.uint8)
        scanlines[:, 0] = UP
        above = rows[band.start - 1] if band.start else np.uint8(0)
        np.subtract(part[:1], above, out=scanlines[:1, 1:])
        np.subtract(part[1:], part[:-1], out=scanlines[1:, 1:])
        yield scanlines


def bands(height: int, width: int, max_values: int) -> Iterator[slice]:
    """Split rows into bands of at most ``max_values`` values, but of at least one row."""
    step = max(1, max_values // width)
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _png(size: tuple[int, int], channels: int, scanlines: Iterable[NDArray[np.uint8]]) -> bytes:
    compressor = isal_zlib.compressobj(LEVEL)
    data = [*(compressor.compress(band.data) for band in scanlines), compressor.flush()]
    header = struct.pack(">IIBBBBB", *size, 8, COLOUR_TYPES[channels], 0, 0, 0)
    chunks = (_chunk(b"IHDR", [header]), _chunk(b"IDAT", data), _chunk(b"IEND", []))
    # Joined once: the data of a noisy image are as large as the image.
    return b"".join([SIGNATURE, *itertools.chain(*chunks)])


def _chunk(kind: bytes, data: list[bytes]) -> list[bytes]:
    checksum = functools.reduce(lambda crc, part: zlib.crc32(part, crc), [kind, *data], 0)
    length = struct.pack(">I", sum(map(len, data)))
    return [length, kind, *data, struct.pack(">I", checksum)]
