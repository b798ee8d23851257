"""Valid images with metadata that is broken, circular, or made to be expensive."""

import struct
from collections.abc import Iterator

from tests.odd_files.jpeg_segments import segment, with_segments
from tests.odd_files.odd_file import OK, SIZE, UNREADABLE, OddFile, accepted, sample, unreadable
from tests.odd_files.png_chunks import IDAT, IEND, png
from tests.odd_files.tiff_tags import LONG, RATIONAL, SHORT, UNDEFINED, Entry, directory, tiff
from tests.unit.handler.files import chunk, encode

CARRIERS = ("JPEG", "PNG", "WEBP", "AVIF")
ORIENTATION, COPYRIGHT = 0x0112, 0x8298
EXIF = b"Exif\0\0"


def exif(entries: list[Entry], blob: bytes = b"", following: int = 0) -> bytes:
    """An EXIF block of these tags; a value of 0 points at the blob."""
    blob_at = 8 + 2 + 12 * len(entries) + 4
    placed = [(tag, kind, count, value or blob_at) for tag, kind, count, value in entries]
    return EXIF + b"II*\0\x08\0\0\0" + directory(placed, following) + blob


# The same megabyte under six thousand tags.
REPEATED: list[Entry] = [(1000 + index, UNDEFINED, 1_000_000, 0) for index in range(6_000)]
BOMB = exif(REPEATED, bytes(1_000_000))
BLOCKS = {
    "empty": EXIF,
    "points-outside": EXIF + b"II*\0\xff\xff\xff\xff",
    "ones": EXIF + b"\xff" * 40,
    "no-byte-order": EXIF + b"XX*\0\x08\0\0\0" + bytes(20),
    "text-for-a-number": exif([(ORIENTATION, 2, 4, 0x00333231)]),
    "no-values": exif([(ORIENTATION, SHORT, 0, 0)]),
    "1000-values": exif([(ORIENTATION, SHORT, 1000, 0)], b"\6\0" * 1000),
    "a-fraction": exif([(ORIENTATION, RATIONAL, 1, 0)], struct.pack("<II", 6, 0)),
    "a-float": exif([(ORIENTATION, 12, 1, 0)], struct.pack("<d", float("nan"))),
    "twice": exif([(ORIENTATION, SHORT, 1, 1), (ORIENTATION, SHORT, 1, 1)]),
    "in-a-circle": exif([(tag, LONG, 1, 8) for tag in (330, 0x8769, 0x8825, 0xA005)], following=8),
    "more-tags-than-bytes": EXIF + b"II*\0\x08\0\0\0\xff\xff" + bytes(30),
    "four-billion-values": exif([(ORIENTATION, SHORT, 2**32 - 1, 8)]),
    "a-type-that-does-not-exist": exif([(ORIENTATION, 99, 1, 6)]),
    "0": exif([(ORIENTATION, SHORT, 1, 65_536)]),
    "9": exif([(ORIENTATION, SHORT, 1, 9)]),
    "65535": exif([(ORIENTATION, SHORT, 1, 65_535)]),
    "minus-one": exif([(ORIENTATION, 8, 1, 0xFFFF)]),
}


def metadata_files() -> list[OddFile]:
    """The images are valid, so nearly all are accepted."""
    return [*_blocks(), *_bombs(), *_others()]


def _blocks() -> Iterator[OddFile]:
    for carrier in CARRIERS:
        for name, block in BLOCKS.items():
            # AVIF's decoder rejects some of them, and Pillow cannot make it ignore them.
            statuses = (OK, UNREADABLE) if carrier == "AVIF" else (OK,)
            size = None if name == "1000-values" else SIZE  # the first value may count
            data = carrying(carrier, block)
            yield OddFile(f"{carrier.lower()}/exif-{name}", data, statuses, size)


def carrying(carrier: str, block: bytes) -> bytes:
    """The cat with this block.

    AVIF's encoder parses the block, so it gets a valid one of the same length, which is replaced.
    """
    if carrier != "AVIF":
        return encode(sample(), carrier, exif=block)
    sound = exif([(COPYRIGHT, UNDEFINED, 4, 1)])
    size = max(len(sound), len(block))
    sound, block = sound.ljust(size, b"."), block.ljust(size, b".")
    return encode(sample(), carrier, exif=sound).replace(sound[6:], block[6:])


def unfolding(carrier: str) -> bytes:
    """An image of this format with six gigabytes of metadata in one megabyte."""
    if carrier == "TIFF":
        return tiff(bytes(256), REPEATED, bytes(1_000_000))
    if carrier != "JPEG":
        return carrying(carrier, BOMB)
    pieces = [EXIF + BOMB[start : start + 65_000] for start in range(6, len(BOMB), 65_000)]
    return with_segments(*(segment(0xE1, piece) for piece in pieces))


def _bombs() -> Iterator[OddFile]:
    for carrier in (*CARRIERS, "TIFF"):
        yield unreadable(f"{carrier.lower()}/6-GB-of-metadata-in-1-MB", unfolding(carrier))


def _others() -> Iterator[OddFile]:
    raw = b"Raw profile type exif\0\nexif\n    10\n"
    yield accepted("png/exif-as-text", png(chunk(b"tEXt", raw + b"00" * 10), IDAT, IEND), (8, 8))
    yield accepted("png/exif-as-no-hex", png(chunk(b"tEXt", raw + b"xyz"), IDAT, IEND), (8, 8))
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0" + b"tiff:Orientation=" * 500_000
    yield accepted("png/xmp-of-8-MB", png(chunk(b"iTXt", xmp), IDAT, IEND), (8, 8))
    turned = b'<x:xmpmeta tiff:Orientation="6"/>'
    yield accepted("jpeg/orientation-in-xmp", encode(sample(), "JPEG", xmp=turned))
    for carrier in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        data = encode(sample(), carrier, icc_profile=b"no profile" * 100)
        yield accepted(f"{carrier.lower()}/broken-colour-profile", data)
