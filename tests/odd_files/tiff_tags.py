"""TIFF files with tags that are wrong or made to be expensive."""

import struct
import zlib
from collections.abc import Iterator, Mapping

from tests.odd_files.odd_file import ANY_CLEAR, OK, UNREADABLE, OddFile, accepted, unreadable

SHORT, LONG, RATIONAL, UNDEFINED = 3, 4, 5, 7
DEFLATE = 8
SIDE = 16
ORDINARY = {
    "width": SIDE,
    "height": SIDE,
    "bits": 8,
    "packing": 1,
    "photometric": 1,
    "offset": 8,
    "samples": 1,
    "rows": SIDE,
}
Entry = tuple[int, int, int, int]  # tag, type, count, value or its offset


def directory(entries: list[Entry], following: int = 0) -> bytes:
    """An image file directory, its entries in ascending order."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def tiff(
    pixels: bytes,
    further: list[Entry],
    blob: bytes = b"",
    changes: Mapping[str, int] | None = None,
) -> bytes:
    """A grey 16 x 16 TIFF. further: more entries; a value of 0 points at the blob."""
    count = 9 + len(further)
    there = 8 + len(pixels)
    blob_at = there + 2 + 12 * count + 4
    values = {**ORDINARY, "bytes": len(pixels), **(changes or {})}
    tags = (256, 257, 258, 259, 262, 273, 277, 278, 279)
    entries: list[Entry] = [
        (tag, LONG if tag in (256, 257, 273, 278, 279) else SHORT, 1, value)
        for tag, value in zip(tags, values.values(), strict=True)
    ]
    entries += [(tag, kind, size, value or blob_at) for tag, kind, size, value in further]
    return b"II*\0" + struct.pack("<I", there) + pixels + directory(entries) + blob


def tiff_files() -> list[OddFile]:
    """The same bytes under many tags, millions of strips and tiles, absurd values."""
    return [*_bombs(), *_pieces(), *_absurd(), *_loops()]


def _bombs() -> Iterator[OddFile]:
    raw = bytes(SIDE * SIDE)
    tag: list[Entry] = [(282, RATIONAL, 3_000_000, 0)]
    data = tiff(raw, tag, b"\1\0\0\0" * 6_000_000)
    yield OddFile("tiff/3-million-fractions", data, (OK, UNREADABLE), costly=True)
    bomb = zlib.compress(bytes(60_000_000), 9)
    yield accepted(
        "tiff/more-pixels-than-announced",
        tiff(bomb, [], changes={"packing": DEFLATE}),
        (SIDE, SIDE),
    )
    for rows in (2**20, 2**31 - 1, 2**32 - 1, 0):
        data = tiff(bomb, [], changes={"packing": DEFLATE, "rows": rows})
        yield OddFile(f"tiff/strips-of-{rows}-rows", data, (OK, UNREADABLE))


def _pieces() -> Iterator[OddFile]:
    """Strips and tiles that all point at the same pixels."""
    rows = 1_000_000
    entries: list[Entry] = [(256, LONG, 1, 10), (257, LONG, 1, rows), (258, SHORT, 1, 8)]
    entries += [(259, SHORT, 1, 1), (262, SHORT, 1, 1), (277, SHORT, 1, 1), (278, LONG, 1, 1)]
    at = 8 + 2 + 12 * 9 + 4
    entries += [(273, LONG, rows, at), (279, LONG, rows, at + 4 * rows)]
    strips = struct.pack("<I", at + 8 * rows) * rows + struct.pack("<I", 10) * rows
    data = b"II*\0\x08\0\0\0" + directory(entries) + strips + bytes(10)
    yield OddFile("tiff/a-million-strips", data, (OK, UNREADABLE), costly=True)
    for side in (1, 15, 16, 2**16, 2**31):
        tiles: list[Entry] = [(322, LONG, 1, side), (323, LONG, 1, side), (324, LONG, 1, 8)]
        data = tiff(bytes(SIDE * SIDE), tiles)
        yield OddFile(f"tiff/tiles-of-{side}", data, ANY_CLEAR)


def _absurd() -> Iterator[OddFile]:
    raw = bytes(SIDE * SIDE)
    for name, changes in (
        ("0-bits", {"bits": 0}),
        ("3-bits", {"bits": 3}),
        ("64-bits", {"bits": 64}),
        ("65535-bits", {"bits": 65_535}),
        ("0-samples", {"samples": 0}),
        ("65535-samples", {"samples": 65_535}),
        ("photometric-9999", {"photometric": 9_999}),
        ("packing-9999", {"packing": 9_999}),
        ("packing-old-jpeg", {"packing": 6}),
        ("packing-jpeg-without-one", {"packing": 7}),
        ("pixels-beyond-the-end", {"offset": 2**31}),
        ("pixels-at-the-directory", {"offset": 8 + len(raw)}),
        ("strip-of-4-GB", {"bytes": 2**32 - 1}),
        ("strip-of-nothing", {"bytes": 0}),
        ("all-of-one-row", {"rows": 1}),
    ):
        yield OddFile(f"tiff/{name}", tiff(raw, [], changes=changes), ANY_CLEAR)
    for kind in (0, 1, 2, 12, 13, 99):
        tags: list[Entry] = [(274, kind, 1, 6), (50_000, kind, 2**32 - 1, 8)]
        yield OddFile(f"tiff/type-{kind}-of-a-tag", tiff(raw, tags), (OK, UNREADABLE))


def _loops() -> Iterator[OddFile]:
    data = tiff(bytes(SIDE * SIDE), [])
    start = struct.unpack_from("<I", data, 4)[0]
    looped = data[:-4] + struct.pack("<I", start)
    yield accepted("tiff/a-page-that-follows-itself", looped, (SIDE, SIDE))
    nested: list[Entry] = [(tag, LONG, 1, start) for tag in (330, 34_665, 34_853, 40_965)]
    yield accepted("tiff/directories-in-a-circle", tiff(bytes(256), nested), (SIDE, SIDE))
    for where in (0, 1, 2**31, 2**32 - 1, len(data) - 1):
        broken = data[:4] + struct.pack("<I", where) + data[8:]
        yield unreadable(f"tiff/directory-at-{where}", broken)
    yield unreadable("tiff/big-without-a-directory", b"II+\0\x08\0\0\0" + b"\xff" * 8)
    endless = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**64 - 1) + bytes(200)
    yield unreadable("tiff/big-with-2-to-64-tags", endless)
