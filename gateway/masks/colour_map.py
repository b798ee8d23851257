"""A colour map from a mask: the grey PNG's header is rewritten, its pixels are never decoded."""

from typing import Final

from gateway.masks.grey_png import HEADER_SIZE, SIGNATURE, chunk, read_header

_INDEXED: Final = 3


def colour_map(mask: bytes, palette: bytes) -> bytes:
    """An indexed PNG with the mask's own compressed pixels and 3 bytes of palette per class id.

    Raises NotAMaskError if the mask is not an 8-bit grey PNG.
    """
    header = read_header(mask)
    indexed = header[:9] + bytes([_INDEXED]) + header[10:]
    return b"".join(
        (SIGNATURE, chunk(b"IHDR", indexed), chunk(b"PLTE", palette), mask[HEADER_SIZE:])
    )
