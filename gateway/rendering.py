"""A colour map from a mask: the grey PNG's header is rewritten, its pixels are never decoded."""

import struct
import zlib
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_END: Final = b"\x00\x00\x00\x00IEND\xaeB`\x82"
# Signature, then one chunk: length 13, type IHDR, 13 bytes of data, CRC.
_HEADER_START: Final = SIGNATURE + b"\x00\x00\x00\x0dIHDR"
_HEADER_SIZE: Final = len(_HEADER_START) + 13 + 4
_GREY: Final = 0
_INDEXED: Final = 3


class NotAMaskError(ValueError):
    """The bytes are not the 8-bit grey PNG that the handler promises."""


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def _header(mask: bytes) -> bytes:
    """The 13 bytes of IHDR of an 8-bit grey PNG whose chunks are IHDR, IDAT..., IEND."""
    if not mask.startswith(_HEADER_START) or not mask.endswith(_END):
        raise NotAMaskError("not a complete PNG")
    header = mask[len(_HEADER_START) : _HEADER_SIZE - 4]
    depth, colour_type = header[8], header[9]
    if (depth, colour_type) != (8, _GREY):
        raise NotAMaskError(f"bit depth {depth}, colour type {colour_type} instead of 8, {_GREY}")
    # A palette of its own would follow here; and ours must come before the pixel data.
    if mask[_HEADER_SIZE + 4 : _HEADER_SIZE + 8] != b"IDAT":
        raise NotAMaskError("chunks between the header and the pixel data")
    return header


def colour_map(mask: bytes, palette: bytes) -> bytes:
    """An indexed PNG with the mask's own compressed pixels and 3 bytes of palette per class id.

    Raises NotAMaskError if the mask is not an 8-bit grey PNG.
    """
    header = _header(mask)
    indexed = header[:9] + bytes([_INDEXED]) + header[10:]
    return b"".join(
        (SIGNATURE, _chunk(b"IHDR", indexed), _chunk(b"PLTE", palette), mask[_HEADER_SIZE:])
    )
