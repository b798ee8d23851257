"""PNG files with chunks that are wrong or made to be expensive."""

import struct
import zlib
from collections.abc import Iterator

from tests.odd_files.odd_file import ANY_CLEAR, OK, UNREADABLE, OddFile, accepted, unreadable
from tests.unit.handler.files import chunk

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIDE = 8
PIXELS = zlib.compress(bytes((SIDE + 1) * SIDE))
IDAT, IEND = chunk(b"IDAT", PIXELS), chunk(b"IEND", b"")
BOMB = zlib.compress(bytes(60_000_000), 9)
NEARLY = zlib.compress(bytes(1_000_000), 9)  # the most that Pillow allows a text chunk
SIZE = (SIDE, SIDE)


def header(depth: int = 8, colours: int = 0, *, method: int = 0, interlace: int = 0) -> bytes:
    """The IHDR chunk of 8 x 8 pixels."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, depth, colours, method, 0, interlace))


def png(*chunks: bytes, head: bytes | None = None) -> bytes:
    """A PNG of these chunks."""
    return SIGNATURE + (head or header()) + b"".join(chunks)


def png_files() -> list[OddFile]:
    """Bombs, and chunks where they do not belong."""
    return [*_bombs(), *_many(), *_wrong(), *_headers()]


def _bombs() -> Iterator[OddFile]:
    """60 MB in 60 KB, in every kind of compressed chunk."""
    for name, content in (
        ("iCCP", b"a\0\0" + BOMB),
        ("zTXt", b"a\0\0" + BOMB),
        ("iTXt", b"a\0\1\0\0\0" + BOMB),
    ):
        data = png(chunk(name.encode(), content), IDAT, IEND)
        yield OddFile(f"png/{name}-bomb", data, (OK, UNREADABLE))
    yield accepted("png/more-pixels-than-announced", png(chunk(b"IDAT", BOMB), IEND), SIZE)


def _many() -> Iterator[OddFile]:
    """Very many of what is harmless once."""
    for kind, prefix in ((b"zTXt", b"a%d\0\0"), (b"iTXt", b"a%d\0\1\0\0\0")):
        texts = [chunk(kind, prefix % index + NEARLY) for index in range(200)]
        yield unreadable(f"png/200-MB-of-{kind.decode()}", png(*texts, IDAT, IEND))
        yield unreadable(f"png/200-MB-of-{kind.decode()}-at-the-end", png(IDAT, *texts, IEND))
    yield accepted("png/empty-IDATs", png(*[chunk(b"IDAT", b"")] * 100_000, IDAT, IEND), SIZE)
    pieces = [chunk(b"IDAT", PIXELS[index : index + 1]) for index in range(len(PIXELS))]
    yield accepted("png/IDATs-of-one-byte", png(*pieces, IEND), SIZE)
    profile = chunk(b"iCCP", b"a\0\0" + NEARLY)
    data = png(*[profile] * 20_000, IDAT, IEND)
    yield unreadable("png/20000-colour-profiles", data, costly=True)
    yield accepted("png/unknown-chunks", png(*[chunk(b"aaAa", b"")] * 100_000, IDAT, IEND), SIZE)


def _wrong() -> Iterator[OddFile]:
    """Wrong lengths, checksums and orders."""
    for length in (0, 1, 2**31 - 1, 2**31, 2**32 - 1):
        broken = struct.pack(">I", length) + b"tEXt" + b"a\0b" + bytes(4)
        yield OddFile(f"png/text-of-{length}-bytes", png(broken, IDAT, IEND), (OK, UNREADABLE))
        broken = struct.pack(">I", length) + IDAT[4:]
        yield OddFile(f"png/IDAT-of-{length}-bytes", png(broken, IEND), (OK, UNREADABLE))
    for name, chunks in (
        ("no-IDAT", (IEND,)),
        ("nothing-after-the-header", ()),
        ("pixels-are-not-zlib", (chunk(b"IDAT", b"no zlib"), IEND)),
        ("pixels-end-early", (chunk(b"IDAT", zlib.compress(bytes(10))), IEND)),
        ("wrong-checksum-of-IDAT", (IDAT[:-4] + bytes(4), IEND)),
    ):
        yield OddFile(f"png/{name}", png(*chunks), (UNREADABLE, OK))
    yield OddFile("png/two-headers", png(header(), IDAT, IEND), ANY_CLEAR)
    yield accepted("png/no-end", png(IDAT), SIZE)
    yield OddFile("png/header-in-the-end", SIGNATURE + IDAT + header() + IEND, ANY_CLEAR)
    yield OddFile("png/palette-of-769-bytes", png(chunk(b"PLTE", bytes(769)), IDAT), ANY_CLEAR)


def _headers() -> Iterator[OddFile]:
    """Depths and colour types that do not exist or cannot be combined."""
    for depth, colours in ((3, 0), (8, 1), (16, 3), (1, 2), (0, 0), (255, 255), (8, 7)):
        head = header(depth, colours)
        yield unreadable(f"png/depth-{depth}-colours-{colours}", png(IDAT, IEND, head=head))
    for name, head in (
        ("compression-9", header(method=9)),
        ("interlace-9", header(interlace=9)),
        ("indexed-without-palette", header(8, 3)),
        ("header-of-12-bytes", chunk(b"IHDR", bytes(12))),
        ("header-of-14-bytes", chunk(b"IHDR", bytes(14))),
    ):
        yield OddFile(f"png/{name}", png(IDAT, IEND, head=head), (UNREADABLE, OK))
