"""JPEG files with segments that are wrong or made to be expensive."""

from collections.abc import Iterator

from PIL import Image

from tests.odd_files.odd_file import (
    ANY_CLEAR,
    OK,
    UNREADABLE,
    OddFile,
    accepted,
    sample,
    unreadable,
)
from tests.unit.handler.files import encode

START, END = b"\xff\xd8", b"\xff\xd9"
SCAN = b"\xff\xda"


def segment(marker: int, content: bytes) -> bytes:
    """A marker with its length and content."""
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def with_segments(*segments: bytes) -> bytes:
    """The cat, with segments right after its start."""
    cat = encode(sample(), "JPEG")
    return START + b"".join(segments) + cat[2:]


def jpeg_files() -> list[OddFile]:
    """Endless scans, millions of segments, wrong lengths."""
    return [*_scans(), *_many(), *_wrong()]


def scans(image: Image.Image, count: int) -> bytes:
    """A progressive JPEG with its last scan repeated ``count`` times."""
    data = encode(image, "JPEG", progressive=True)
    last = data.rindex(SCAN)
    return data[:-2] + data[last:-2] * count + END


def _scans() -> Iterator[OddFile]:
    large = Image.new("L", (7_000, 7_000), 128)
    yield accepted("progressive-jpeg/16-passes-of-49-megapixels", scans(large, 10), large.size)
    yield unreadable("progressive-jpeg/100-passes-of-49-megapixels", scans(large, 100))
    yield unreadable("progressive-jpeg/50000-passes-of-1-megapixel", scans(_one(), 50_000))
    yield accepted("progressive-jpeg/500-passes-of-1-megapixel", scans(_one(), 500), (1000, 1000))


def _one() -> Image.Image:
    return Image.new("L", (1000, 1000), 128)


def _many() -> Iterator[OddFile]:
    yield accepted("jpeg/100000-empty-segments", with_segments(segment(0xE5, b"") * 100_000))
    yield accepted("jpeg/50-comments-of-64-KB", with_segments(segment(0xFE, b"x" * 65_533) * 50))
    yield OddFile(
        "jpeg/6-million-empty-segments",
        with_segments(segment(0xE5, b"") * 6_000_000),
        (OK, UNREADABLE),
        costly=True,
    )
    yield OddFile(
        "jpeg/25-MB-of-fill-bytes",
        with_segments(b"\xff" * 25_000_000),
        (OK, UNREADABLE),
        costly=True,
    )
    exif = segment(0xE1, b"Exif\0\0x")
    yield OddFile(
        "jpeg/EXIF-in-2-million-pieces",
        with_segments(exif * 2_000_000),
        (OK, UNREADABLE),
        costly=True,
    )
    profile = segment(0xE2, b"ICC_PROFILE\0\x01\x01" + bytes(10))
    yield accepted("jpeg/1000-colour-profiles", with_segments(profile * 1000))
    yield accepted(
        "jpeg/1000-photoshop-blocks", with_segments(segment(0xED, b"Photoshop 3.0\0") * 999)
    )


def _wrong() -> Iterator[OddFile]:
    cat = encode(sample(), "JPEG")
    frame, tables, scan = (cat.find(mark) for mark in (b"\xff\xc0", b"\xff\xc4", SCAN))
    for length in (0, 1, 2, 3, 65_535):
        broken = b"\xff\xe1" + length.to_bytes(2, "big")
        yield OddFile(f"jpeg/segment-of-{length}-bytes", START + broken + cat[2:], ANY_CLEAR)
        broken = cat[: frame + 2] + length.to_bytes(2, "big") + cat[frame + 4 :]
        yield OddFile(f"jpeg/frame-of-{length}-bytes", broken, ANY_CLEAR)
    for name, data in (
        ("no-scan", cat[:scan] + END),
        ("no-tables", cat[:tables] + cat[scan:]),
        ("no-frame", cat[:frame] + cat[tables:]),
        ("start-and-end", START + END),
        ("lossless", cat[:frame] + b"\xff\xc3" + cat[frame + 2 :]),
        ("arithmetic", cat[:frame] + b"\xff\xc9" + cat[frame + 2 :]),
        ("hierarchical", cat[:frame] + b"\xff\xc5" + cat[frame + 2 :]),
        ("255-components", cat[: frame + 9] + b"\xff" + cat[frame + 10 :]),
        ("12-bits", cat[: frame + 4] + b"\x0c" + cat[frame + 5 :]),
        ("sampling-of-15", cat[: frame + 11] + b"\xff" + cat[frame + 12 :]),
        ("sampling-of-0", cat[: frame + 11] + b"\0" + cat[frame + 12 :]),
    ):
        yield OddFile(f"jpeg/{name}", data, ANY_CLEAR)
    broken = cat[: scan + 14] + cat[:3000] + END
    yield OddFile("jpeg/another-jpeg-instead-of-pixels", broken, ANY_CLEAR)
