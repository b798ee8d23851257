"""Colour maps: an indexed PNG from a grey mask, without decoding its pixels."""

from typing import Final

from gateway.masks.grey_png import HEADER_SIZE, SIGNATURE, chunk, read_header

_INDEXED: Final = 3


def colour_map(mask: bytes, palette: bytes) -> bytes:
    """Return an indexed PNG of a mask, with its compressed pixels unchanged.

    palette: 3 bytes (red, green, blue) per class id.

    Raises NotAMaskError if the mask is not an 8-bit grey PNG.
    """
    header = read_header(mask)
    indexed = header[:9] + bytes([_INDEXED]) + header[10:]
    return b"".join(
        (SIGNATURE, chunk(b"IHDR", indexed), chunk(b"PLTE", palette), mask[HEADER_SIZE:])
    )
