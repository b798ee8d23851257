"""Writes PNG: 8 bits a channel, one filter for all rows, and igzip's compression."""

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


def encode_repeated(scanlines: NDArray[np.uint8], rows: NDArray[np.intp]) -> bytes:
    """An 8-bit grey PNG of few different rows, unfiltered: right for large areas of one value.

    scanlines: (n, 1 + width) uint8, each with NO_FILTER first. rows: (height,), which is where.
    """
    size = scanlines.shape[1] - 1, len(rows)
    bands = (scanlines[rows[band]] for band in _bands(len(rows), scanlines.shape[1]))
    return _png(size, 1, bands)


def _differences(rows: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Scanlines, each row less the one above it: (height, n) -> bands of (some, 1 + n)."""
    for band in _bands(*rows.shape):
        part = rows[band]
        scanlines = np.empty((len(part), 1 + rows.shape[1]), dtype=np.uint8)
        scanlines[:, 0] = UP
        above = rows[band.start - 1] if band.start else np.uint8(0)
        np.subtract(part[:1], above, out=scanlines[:1, 1:])
        np.subtract(part[1:], part[:-1], out=scanlines[1:, 1:])
        yield scanlines


def _bands(height: int, row_bytes: int) -> Iterator[slice]:
    step = max(1, BAND_BYTES // row_bytes)
    for start in range(0, height, step):
        yield slice(start, start + step)


def _png(size: tuple[int, int], channels: int, bands: Iterable[NDArray[np.uint8]]) -> bytes:
    compressor = isal_zlib.compressobj(LEVEL)
    data = b"".join([*(compressor.compress(band.data) for band in bands), compressor.flush()])
    header = struct.pack(">IIBBBBB", *size, 8, COLOUR_TYPES[channels], 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return SIGNATURE + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
