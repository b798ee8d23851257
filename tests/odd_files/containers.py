"""GIF, BMP, WebP and AVIF files whose blocks are wrong or made to be expensive."""

import struct
from collections.abc import Iterator

from tests.odd_files.odd_file import (
    ANY_CLEAR,
    OK,
    UNREADABLE,
    UNSUPPORTED,
    OddFile,
    accepted,
    animated,
    sample,
    unreadable,
)
from tests.unit.handler.files import encode

COMMENT = b"\x21\xfe"
FULL_BLOCK = b"\xff" + b"x" * 255
ENCODED, DELTA, END_OF_LINE = b"\xff\x01", b"\0\x02\xff\xff", b"\0\0"


def container_files() -> list[OddFile]:
    """Odd files of all four formats."""
    return [*_gif(), *_bmp(), *_webp(), *_avif()]


def _gif() -> Iterator[OddFile]:
    cat = encode(sample(), "GIF")
    frame = cat.find(b",\0\0\0\0")

    def before(blocks: bytes) -> bytes:
        return cat[:frame] + blocks + cat[frame:]

    yield accepted("gif/comment-of-1-MB", before(COMMENT + FULL_BLOCK * 4_000 + b"\0"))
    long = before(COMMENT + FULL_BLOCK * 110_000 + b"\0")  # read in quadratic time
    yield OddFile("gif/comment-of-28-MB", long, (OK, UNREADABLE), costly=True)
    many = before(b"\x21\xfe\x01x\0" * 5_000_000)
    yield OddFile("gif/5-million-comments", many, (OK, UNREADABLE), costly=True)
    yield accepted("gif/1-MB-between-the-blocks", before(b"\x05" * 1_000_000))
    for name, blocks in (
        ("extension-without-end", b"\x21\xff" + FULL_BLOCK * 10),
        ("control-of-no-bytes", b"\x21\xf9\0"),
        ("application-of-no-bytes", b"\x21\xff\0"),
        ("frame-of-nothing", b"," + bytes(9) + b"\x08\0"),
        ("code-size-255", b"," + struct.pack("<HHHHB", 0, 0, 9, 9, 0) + b"\xff\x01\0\0"),
        ("ends-before-the-frame", b";"),
    ):
        yield OddFile(f"gif/{name}", before(blocks), ANY_CLEAR)
    yield OddFile("gif/3000-frames", animated("GIF", (8, 8), frames=3_000), (OK,), (8, 8))
    outside = bytearray(cat)
    struct.pack_into("<HH", outside, frame + 1, 60_000, 60_000)
    yield OddFile("gif/frame-outside", bytes(outside), ANY_CLEAR)


def bmp(width: int, height: int, body: bytes, *, bits: int = 8, packing: int = 1) -> bytes:
    """A BMP with a grey palette. packing: 0 is none, 1 and 2 are run lengths, 3 are bit masks."""
    start = 14 + 40 + 1024
    head = struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start)
    head += struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, packing, len(body), 0, 0, 256, 0
    )
    return head + bytes(1024) + body


def _bmp() -> Iterator[OddFile]:
    yield unreadable("bmp/10-GB-in-1-KB", bmp(40_000_000, 1, DELTA))
    yield unreadable(
        "bmp/line-ends-of-40-MB", bmp(40_000_000, 1, b"\x01\x01" + END_OF_LINE), costly=True
    )
    runs = bmp(7_000, 7_000, b"\x01\0" * 12_000_000)
    yield OddFile("bmp/12-million-runs", runs, (OK, UNREADABLE), costly=True)
    yield OddFile("bmp/runs", bmp(255, 2, (ENCODED + END_OF_LINE) * 2), (OK,), (255, 2))
    for packing in (*range(7), 99, 2**32 - 1):
        data = bmp(16, 16, bytes(1024), packing=packing)
        yield OddFile(f"bmp/packing-{packing}", data, (OK, UNSUPPORTED, UNREADABLE))
    for bits in (0, 1, 2, 4, 16, 24, 32, 64, 65_535):
        data = bmp(16, 16, bytes(1024), bits=bits, packing=0)
        yield OddFile(f"bmp/{bits}-bits", data, (OK, UNSUPPORTED, UNREADABLE))
    plain = bmp(16, 16, bytes(256), packing=0)
    for size in (0, 1, 12, 39, 64, 108, 124, 2**31, 2**32 - 1):
        data = plain[:14] + struct.pack("<I", size) + plain[18:]
        yield OddFile(f"bmp/header-of-{size}-bytes", data, (OK, UNREADABLE, 413))
    for colours in (1, 257, 2**31, 2**32 - 1):
        data = plain[:46] + struct.pack("<I", colours) + plain[50:]
        yield OddFile(f"bmp/{colours}-colours", data, (OK, UNREADABLE))
    yield unreadable("bmp/pixels-beyond-the-end", plain[:10] + b"\xff" * 4 + plain[14:])


def _webp() -> Iterator[OddFile]:
    cat, film = encode(sample(), "WEBP"), animated("WEBP")
    for size in (0, 1, len(cat), 2**31, 2**32 - 1):
        data = cat[:4] + struct.pack("<I", size) + cat[8:]
        yield OddFile(f"webp/file-of-{size}-bytes", data, (OK, UNREADABLE))
        data = cat[:16] + struct.pack("<I", size) + cat[20:]
        yield OddFile(f"webp/chunk-of-{size}-bytes", data, (OK, UNREADABLE))
        data = film[:16] + struct.pack("<I", size) + film[20:]
        yield OddFile(f"animated-webp/chunk-of-{size}-bytes", data, (OK, UNREADABLE))
    frame = film.find(b"ANMF")
    moved = film[: frame + 8] + b"\xff" * 6 + film[frame + 14 :]
    yield unreadable("animated-webp/frame-outside", moved)
    yield unreadable("animated-webp/no-frame", film[:frame])
    unknown = b"JUNK" + struct.pack("<I", 0)
    yield OddFile("webp/100000-unknown-chunks", cat[:12] + unknown * 100_000, (UNREADABLE,))


def _avif() -> Iterator[OddFile]:
    cat = encode(sample(), "AVIF")
    for name in (b"meta", b"iloc", b"iinf", b"iprp", b"ipco", b"ispe", b"av1C", b"pixi", b"mdat"):
        place, kind = cat.find(name) - 4, name.decode()
        for size in (0, 1, 7, 2**32 - 1):
            data = cat[:place] + struct.pack(">I", size) + cat[place + 4 :]
            yield OddFile(f"avif/{kind}-of-{size}-bytes", data, (OK, UNREADABLE, 413))
        yield OddFile(f"avif/no-{kind}", cat.replace(name, b"free", 1), (OK, UNREADABLE))
    yield unreadable("avif/brand-alone", b"\0\0\0\x10ftypavif\0\0\0\0")
    box = struct.pack(">I", 8) + b"free"
    yield OddFile("avif/100000-free-boxes", cat[:32] + box * 100_000 + cat[32:], ANY_CLEAR)
