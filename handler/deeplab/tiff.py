"""TIFF: which kinds are taken, and how Pillow is made to decode them right.

Pillow has two decoders of TIFF. Its own scrambles 16-bit planes, and libtiff's, which returns
levels in the machine's byte order, is given the file's. So all files are decoded by libtiff, and
the table of kinds names the machine's byte order; a kind that Pillow would show wrong leaves it.
"""

import numpy as np
from PIL import Image, TiffImagePlugin

from deeplab import tiff_pages as tags
from deeplab.tiff_pages import Page, read_first_page

UNSIGNED, SIGNED, FLOATING = 1, 2, 3
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, YCBCR = 0, 1, 2, 6
CHUNKY, PLANAR = 1, 2
OLD_JPEG, CANON_RAW = 6, b"\x10\0\0\0CR\2\0"
BIG_ENDIAN_BIG_TIFF = b"MM\0\x2b"

# (photometric, sample format, bits) of one grey sample -> Pillow's mode and the levels' layout.
GREY = {
    (WHITE_IS_ZERO, UNSIGNED, 16): ("I;16", "I;16"),
    (BLACK_IS_ZERO, SIGNED, 8): ("I", "I;8S"),
    (BLACK_IS_ZERO, SIGNED, 16): ("I", "I;16NS"),
    (BLACK_IS_ZERO, UNSIGNED, 32): ("I", "I;32N"),
    (BLACK_IS_ZERO, SIGNED, 32): ("I", "I;32NS"),
    (BLACK_IS_ZERO, FLOATING, 32): ("F", "F;32NF"),
}
# Pillow does not invert the first, and leaves 12 bits in the lowest of 16.
SHOWN_WRONG = {(WHITE_IS_ZERO, FLOATING, 32), (BLACK_IS_ZERO, UNSIGNED, 12)}
FORMATS = {UNSIGNED: "", SIGNED: " signed", FLOATING: " floating-point"}
COLOURS = {
    WHITE_IS_ZERO: "grey, white is zero",
    BLACK_IS_ZERO: "grey",
    RGB: "RGB",
    3: "palette",
    5: "CMYK",
    YCBCR: "YCbCr",
    8: "Lab",
    9: "Lab",
    32_803: "a sensor's mosaic",
    34_892: "a sensor's levels",
}
COMPRESSIONS = {
    **dict.fromkeys((33_003, 33_005, 34_712), "JPEG 2000"),
    **dict.fromkeys((50_002, 52_546), "JPEG XL"),
    **dict.fromkeys((22_610, 34_934, 0xBC01), "JPEG XR"),
    34_661: "JBIG",
    34_887: "LERC",
    34_933: "PNG",
    50_001: "WebP",
}
READ = set(TiffImagePlugin.COMPRESSION_INFO) - set(COMPRESSIONS)

TiffImagePlugin.READ_LIBTIFF = True
for _order in (b"II", b"MM"):
    for (_colours, _format, _bits), _modes in GREY.items():
        TiffImagePlugin.OPEN_INFO[_order, _colours, (_format,), 1, (_bits,), ()] = _modes
    for _colours, _format, _bits in SHOWN_WRONG:
        TiffImagePlugin.OPEN_INFO.pop((_order, _colours, (_format,), 1, (_bits,), ()), None)


def tiff_not_taken(data: bytes) -> str | None:
    """The kind of a TIFF that is not taken, as a noun phrase; None for others and other bytes."""
    found = read_first_page(data)
    if found is None:
        return None
    page, below = found
    if data[4:12] == CANON_RAW or tags.DNG_VERSION in page.tags:
        return "A camera's raw photograph"
    if data.startswith(BIG_ENDIAN_BIG_TIFF):  # Pillow takes its directory for a small TIFF's
        return "A BigTIFF in big-endian byte order"
    if page.is_reduced and (page.is_followed or below):
        return "A TIFF or raw photograph that begins with a thumbnail"
    if any(each.pixels > page.pixels for each in below):
        return "A TIFF or raw photograph that begins with a thumbnail"
    compression = page.first(tags.COMPRESSION, 1)
    if compression not in READ:
        name = COMPRESSIONS.get(compression, f"the compression {compression}")
        return f"A TIFF packed by {name}"
    return None if _is_read(data[:2], page) else _samples(page)


def _is_read(order: bytes, page: Page) -> bool:
    """Whether the table of kinds has the page's samples."""
    photometric = page.first(tags.PHOTOMETRIC, WHITE_IS_ZERO)
    compression = page.first(tags.COMPRESSION, 1)
    if compression == OLD_JPEG:
        photometric = YCBCR
    jpeg_samples = 3 if compression == OLD_JPEG else 1
    samples = page.first(tags.SAMPLES, jpeg_samples)
    bits, extra = page.tags.get(tags.BITS, (1,)), page.tags.get(tags.EXTRA, ())
    formats = tuple(sorted(set(page.tags.get(tags.SAMPLE_FORMAT, (UNSIGNED,)))))
    is_planar = page.first(tags.PLANAR, CHUNKY) == PLANAR
    if is_planar and samples == 2:  # Pillow copies the alpha to a band of the grey
        return False
    bits = (bits * samples if len(bits) == 1 else bits)[:samples]
    fill_order = page.first(tags.FILL_ORDER, 1)
    key = (order, photometric, formats, fill_order, bits, extra)
    return key in TiffImagePlugin.OPEN_INFO


def _samples(page: Page) -> str:
    count, bits = page.first(tags.SAMPLES, 1), page.first(tags.BITS, 1)
    photometric = page.first(tags.PHOTOMETRIC, WHITE_IS_ZERO)
    colours = COLOURS.get(photometric, f"photometric interpretation {photometric}")
    levels = f"{bits}-bit{FORMATS.get(page.first(tags.SAMPLE_FORMAT, UNSIGNED), '')}"
    bands = "one sample" if count == 1 else f"{count} samples"
    return f"A TIFF with {bands} per pixel of {levels} levels ({colours})"


def true_levels(image: Image.Image) -> Image.Image:
    """The levels of a loaded image that Pillow leaves inverted or, above 2**31, wrapped."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return image
    tag = image.tag_v2
    if image.mode == "I;16" and tag.get(tags.PHOTOMETRIC, WHITE_IS_ZERO) == WHITE_IS_ZERO:
        return Image.fromarray(np.uint16(0xFFFF) - np.asarray(image))
    is_unsigned = tag.get(tags.SAMPLE_FORMAT, (UNSIGNED,))[0] == UNSIGNED
    if image.mode == "I" and is_unsigned and tag.get(tags.BITS, (1,))[0] == 32:
        # In their order, which is all that counts: levels of 32 bits are stretched.
        return Image.fromarray(np.asarray(image) ^ np.int32(-(2**31)))
    return image
