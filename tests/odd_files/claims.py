"""Headers that claim what the file does not hold: too much, nothing, or negative sizes."""

import struct
from collections.abc import Iterator

from PIL import Image

from tests.odd_files.odd_file import ANY_CLEAR, TOO_LARGE, UNREADABLE, OddFile, accepted
from tests.unit.handler.files import CLAIMS, encode, quarters

LARGE = (
    *((60_000, 60_000), (65_535, 65_535), (10_000, 6_000), (2**31 - 1, 1), (1, 2**31 - 1)),
    (2**31 - 1, 2**31 - 1),
)
# Name -> the longest side that the header can express.
ROOM = {"JPEG": 65_535, "GIF": 65_535, "GIF frame": 65_535, "WebP": 16_384}


def claiming_files() -> list[OddFile]:
    """413 without decoding for claims that are too large; 422 for missing content."""
    return [*_large(), *_lesser(), *_none(), *_real()]


def _fits(name: str, size: tuple[int, int]) -> bool:
    return max(size) <= ROOM.get(name, 2**31)


def _large() -> Iterator[OddFile]:
    for name, make in CLAIMS.items():
        family = name.lower().replace(" ", "-")
        sizes = [size for size in LARGE if _fits(name, size)] or [(16_384, 16_384)]
        for width, height in sizes:
            data = make((width, height))
            yield OddFile(f"{family}/claims-{width}x{height}", data, _statuses(name, width, height))


def _statuses(name: str, width: int, height: int) -> tuple[int, ...]:
    """Decoders have limits of their own, and may call the header damaged."""
    if name in ("AVIF", "TIFF", "BMP") and max(width, height) >= 2**31 - 1:
        return (TOO_LARGE, UNREADABLE)
    # A frame larger than its canvas is limited by Pillow, not by us.
    if name == "GIF frame" and width * height < 2**28:
        return (TOO_LARGE, UNREADABLE)
    return (TOO_LARGE, UNREADABLE) if name == "AVIF" else (TOO_LARGE,)


def _lesser() -> Iterator[OddFile]:
    """Allowed sizes with too little content."""
    for name in ("PNG", "TIFF", "AVIF", "BMP"):
        statuses = ANY_CLEAR if name == "AVIF" else (UNREADABLE,)
        yield OddFile(f"{name.lower()}/claims-3000x3000", CLAIMS[name]((3_000, 3_000)), statuses)
    # Missing parts of a GIF are filled with its background, those of a JPEG with grey.
    for name in ("GIF", "JPEG"):
        data = CLAIMS[name]((3_000, 3_000))
        yield OddFile(f"{name.lower()}/claims-3000x3000", data, (200, UNREADABLE))


def _none() -> Iterator[OddFile]:
    for name, make in CLAIMS.items():
        if name == "WebP":
            continue  # it stores its sides minus one
        for size in ((0, 10), (10, 0), (0, 0)):
            family = name.lower().replace(" ", "-")
            statuses = (UNREADABLE, 200) if name in ("AVIF", "GIF", "GIF frame") else (UNREADABLE,)
            yield OddFile(f"{family}/claims-{size[0]}x{size[1]}", make(size), statuses)
    bmp = encode(quarters(), "BMP")
    for name, height in (("negative", -64), ("most-negative", -(2**31))):
        data = bmp[:22] + struct.pack("<i", height) + bmp[26:]
        yield OddFile(f"bmp/{name}-height", data, ANY_CLEAR)
    data = bmp[:18] + struct.pack("<i", -96) + bmp[22:]
    yield OddFile("bmp/negative-width", data, (TOO_LARGE, UNREADABLE))


def _real() -> Iterator[OddFile]:
    """As many pixels as claimed, in a few kilobytes."""
    fits, over = Image.new("L", (7_000, 7_000)), Image.new("1", (9_000, 9_000))
    yield accepted("png/49-megapixels-in-48-kilobytes", encode(fits, "PNG"), fits.size)
    yield accepted("webp/49-megapixels", encode(fits, "WEBP", method=0), fits.size)
    yield accepted("jpeg/49-megapixels", encode(fits, "JPEG"), fits.size)
    yield accepted("tiff/49-megapixels", encode(fits, "TIFF", compression="zstd"), fits.size)
    for kind in ("PNG", "TIFF", "GIF"):
        yield OddFile(f"{kind.lower()}/81-megapixels", encode(over, kind), (TOO_LARGE,))
    # The container claims 64 x 64 pixels, the coded image has 64 million.
    coded = bytearray(encode(Image.new("L", (8_000, 8_000)), "AVIF", speed=10))
    struct.pack_into(">II", coded, coded.find(b"ispe") + 8, 64, 64)
    yield OddFile("avif/more-than-it-claims", bytes(coded), ANY_CLEAR)
