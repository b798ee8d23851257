"""Sound files of an accepted format, but of a kind that is not decoded: they are named."""

import re
import struct

from deeplab.tiff import tiff_not_taken

# Start of frame: all of C0..CF but the tables C4, C8 and CC; F7 is JPEG-LS.
FRAME = re.compile(rb"\xff+([\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf\xf7])")
LOSSLESS, HIERARCHICAL, JPEG_LS = (0xC3, 0xCB), (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), 0xF7
JPEG, PNG, BMP = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"
BMP_BITS, BMP_PIXELS, BIT_MASKS = 28, 66, 3
UNREAD_BMP_BITS = (2, 64)
UNREAD_BMP_COMPRESSIONS = (4, 5, 6, 11, 12, 13)  # JPEG or 24-bit runs, PNG, alpha, CMYK
MARKER = re.compile(rb"\xff+([^\x00\xff])")


def kind_not_taken(data: bytes) -> str | None:
    """The kind of an accepted format that is not decoded, as a noun phrase; None for others."""
    if data.startswith(JPEG):
        return _jpeg(data)
    if data.startswith(PNG):
        return "A PNG as Apple packs it into apps (CgBI)" if data[12:16] == b"CgBI" else None
    if data.startswith(BMP):
        return _bmp(data)
    return tiff_not_taken(data)


def _jpeg(data: bytes) -> str | None:
    position = 2
    while (match := MARKER.match(data, position)) is not None:
        kind, start = match[1][0], match.end()
        if FRAME.match(match[0]):
            return _jpeg_frame(kind, data[start : start + 8])
        position = start + int.from_bytes(data[start : start + 2])
    return None


def _jpeg_frame(kind: int, frame: bytes) -> str | None:
    if kind == JPEG_LS:
        return "JPEG-LS"
    if len(frame) < 8:
        return None
    precision, components = frame[2], frame[7]
    if kind in LOSSLESS:
        return "A lossless JPEG"
    if kind in HIERARCHICAL:
        return "A hierarchical JPEG"
    if precision != 8:
        return f"A JPEG of {precision} bits per sample"
    return None if components in (1, 3, 4) else f"A JPEG of {components} components"


def _bmp(data: bytes) -> str | None:
    """Of a file that Pillow does not open; the masks are looked at only then."""
    if len(data) < BMP_PIXELS or data[14] < 40:
        return None
    bits, compression = struct.unpack_from("<HI", data, BMP_BITS)
    if bits in UNREAD_BMP_BITS:
        return f"A BMP of {bits} bits per pixel"
    if compression in UNREAD_BMP_COMPRESSIONS:
        return f"A BMP of compression {compression}"
    return "A BMP of unusual bit masks" if compression == BIT_MASKS else None
