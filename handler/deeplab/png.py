"""Writes PNG: 8 bits a channel, one filter for all rows, and igzip's compression."""

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
COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # grey, RGB, RGBA by their number of channels
LEVEL = 1  # igzip's 2 gives the same, its 3 takes ten times as long and seldom makes less of it
# Rows go through the filter and the compression in bands of about so many bytes: a filtered copy of
# all of them would double the memory of a large picture.
BAND_BYTES = 1_000_000


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """(height, width) or (height, width, 3 or 4) uint8 as the PNG of a picture: grey, RGB, RGBA."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    return _png((width, height), rows.shape[1] // width, _differences(rows))


def encode_repeated(scanlines: NDArray[np.uint8], repeats: NDArray[np.intp]) -> bytes:
    """An 8-bit grey PNG of few different rows, unfiltered: right for large areas of one value.

    scanlines: (n, 1 + width) uint8, each with NO_FILTER first. repeats: (n,), how often each comes.
    """
    ends = np.cumsum(repeats)
    height, row_bytes = int(ends[-1]), scanlines.shape[1]
    written = (
        scanlines[np.searchsorted(ends, np.arange(band.start, band.stop), side="right")]
        for band in bands(height, row_bytes, BAND_BYTES)
    )
    return _png((row_bytes - 1, height), 1, written)


def _differences(rows: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Scanlines, each row less the one above it: (height, n) -> bands of (some, 1 + n)."""
    for band in bands(len(rows), rows.shape[1], BAND_BYTES):
        part = rows[band]
        scanlines = np.empty((len(part), 1 + rows.shape[1]), dtype=np.uint8)
        scanlines[:, 0] = UP
        above = rows[band.start - 1] if band.start else np.uint8(0)
        np.subtract(part[:1], above, out=scanlines[:1, 1:])
        np.subtract(part[1:], part[:-1], out=scanlines[1:, 1:])
        yield scanlines


def bands(height: int, width: int, most: int) -> Iterator[slice]:
    """Rows in bands of at most ``most`` values, but of one row at least."""
    step = max(1, most // width)
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _png(size: tuple[int, int], channels: int, written: Iterable[NDArray[np.uint8]]) -> bytes:
    compressor = isal_zlib.compressobj(LEVEL)
    data = [*(compressor.compress(band.data) for band in written), compressor.flush()]
    header = struct.pack(">IIBBBBB", *size, 8, COLOUR_TYPES[channels], 0, 0, 0)
    chunks = (_chunk(b"IHDR", [header]), _chunk(b"IDAT", data), _chunk(b"IEND", []))
    # Joined once: a noisy picture's data are as large as the picture.
    return b"".join([SIGNATURE, *itertools.chain(*chunks)])


def _chunk(kind: bytes, data: list[bytes]) -> list[bytes]:
    checksum = functools.reduce(lambda crc, part: zlib.crc32(part, crc), [kind, *data], 0)
    length = struct.pack(">I", sum(map(len, data)))
    return [length, kind, *data, struct.pack(">I", checksum)]
