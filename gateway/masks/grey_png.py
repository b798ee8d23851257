"""Reader and writer of masks as 8-bit grey PNGs, the format in which the handler sends them."""

import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_END: Final = b"\x00\x00\x00\x00IEND\xaeB`\x82"
# Signature, then one chunk: length 13, type IHDR, 13 bytes of data, CRC.
_HEADER_START: Final = SIGNATURE + b"\x00\x00\x00\x0dIHDR"
HEADER_SIZE: Final = len(_HEADER_START) + 13 + 4
# Length, type and CRC: the bytes of a chunk beside its data.
_FRAME: Final = 12
_GREY: Final = 0
_NO_FILTER: Final = 0
_LONGEST_SIDE: Final = 2**31 - 1


class NotAMaskError(ValueError):
    """The bytes are not the 8-bit grey PNG that the handler promises."""


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG: length, type, data, CRC."""
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def read_header(mask: bytes) -> bytes:
    """Return the 13 bytes of IHDR of an 8-bit grey PNG whose chunks are IHDR, IDAT..., IEND.

    Raises NotAMaskError for any other bytes.
    """
    if not mask.startswith(_HEADER_START) or not mask.endswith(_END):
        raise NotAMaskError("not a complete PNG")
    header = mask[len(_HEADER_START) : HEADER_SIZE - 4]
    depth, colour_type = header[8], header[9]
    if (depth, colour_type) != (8, _GREY):
        raise NotAMaskError(f"bit depth {depth}, colour type {colour_type} instead of 8, {_GREY}")
    # The PNG must not have a palette; ours will be inserted here, before the pixel data.
    if mask[HEADER_SIZE + 4 : HEADER_SIZE + 8] != b"IDAT":
        raise NotAMaskError("chunks between the header and the pixel data")
    return header


def decode_mask(png: bytes) -> NDArray[np.uint8]:
    """Return the (height, width) uint8 class ids of a mask, a read-only view of the pixel data.

    Raises NotAMaskError unless the PNG is grey, 8 bits deep, unfiltered and not interlaced, and
    its pixel data has exactly the length for its size.
    """
    width, height = _size(read_header(png))
    pixels = _inflate(_pixel_data(png), height * (width + 1))
    rows = np.frombuffer(pixels, np.uint8).reshape(height, width + 1)
    if np.any(rows[:, 0] != _NO_FILTER):
        raise NotAMaskError("filtered rows")
    return rows[:, 1:]


def _size(header: bytes) -> tuple[int, int]:
    width, height, _, _, *methods = struct.unpack(">IIBBBBB", header)
    if any(methods):
        raise NotAMaskError("an interlaced picture, or methods that PNG does not have")
    if not (0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE):
        raise NotAMaskError(f"{width} x {height} pixels")
    return width, height


def _pixel_data(mask: bytes) -> bytes:
    """Return the compressed data of the IDAT chunks, the only chunks between IHDR and IEND."""
    parts = []
    at, end = HEADER_SIZE, len(mask) - len(_END)
    while at < end:
        after = at + _FRAME + int.from_bytes(mask[at : at + 4], "big")
        if mask[at + 4 : at + 8] != b"IDAT" or after > end:
            raise NotAMaskError("something else between the pixel data and the end")
        parts.append(mask[at + 8 : after - 4])
        at = after
    return b"".join(parts)


def _inflate(data: bytes, size: int) -> bytes:
    """Inflate the data to exactly ``size`` bytes; never inflates more than one byte beyond."""
    inflater = zlib.decompressobj()
    try:
        pixels = inflater.decompress(data, size)
        surplus = inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error as exc:
        raise NotAMaskError("damaged pixel data") from exc
    if surplus or inflater.unused_data:
        raise NotAMaskError(f"more pixel data than the {size} bytes of its size")
    if len(pixels) < size or not inflater.eof:
        raise NotAMaskError(f"less pixel data than the {size} bytes of its size")
    return pixels


def encode_grey(ids: NDArray[np.uint8]) -> bytes:
    """Encode (height, width) uint8 values as an 8-bit grey PNG without filters."""
    height, width = ids.shape
    rows = np.empty((height, width + 1), np.uint8)
    rows[:, 0] = _NO_FILTER
    rows[:, 1:] = ids
    header = struct.pack(">IIBBBBB", width, height, 8, _GREY, 0, 0, 0)
    pixels = zlib.compress(rows.data, level=1)
    return b"".join(
        (SIGNATURE, chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    )


def encode_binary(mask: NDArray[np.bool_]) -> bytes:
    """Encode a (height, width) bool mask as an 8-bit grey PNG: 255 where true, 0 elsewhere."""
    # Not one bit per pixel: programs that expect masks of 0 and 255 often ignore the mode.
    return encode_grey(mask.astype(np.uint8) * np.uint8(255))


def size_of(png: bytes) -> tuple[int, int]:
    """Return the (width, height) of a mask; raises NotAMaskError for any other bytes."""
    return _size(read_header(png))
