"""Malformed and odd files, made in memory, each with the answer that it deserves."""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tests.stack import ROOT

PHOTOGRAPH = ROOT / "ui" / "examples" / "cat.jpg"
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
OK, TOO_LARGE, UNSUPPORTED, UNREADABLE = 200, 413, 415, 422


@dataclass(frozen=True)
class OddFile:
    """A file and the statuses that are right for it; size is the mask's, where there is one."""

    name: str
    data: bytes
    statuses: tuple[int, ...]
    size: tuple[int, int] | None = None


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The picture's bytes in a format."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def photograph(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """The cat, small."""
    return Image.open(PHOTOGRAPH).convert("RGB").resize(size)


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header announces a size that its content does not have."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = zlib.compress(b"\x00" * 1000)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", content), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def all_files() -> list[OddFile]:
    """The whole corpus."""
    return [*_truncated(), *_junk(), *_bombs(), *_modes(), *_shapes(), *_turned(), *_animated()]


def _truncated() -> Iterator[OddFile]:
    """Every tenth of each format; the last byte alone may be harmless."""
    for kind in FORMATS:
        whole = encoded(photograph(), kind)
        yield OddFile(f"whole-{kind}", whole, (OK,), (320, 240))
        for tenth in range(1, 10):
            part = whole[: len(whole) * tenth // 10]
            # A decoder may have all it needs before the end; then a mask is right as well.
            statuses = (UNREADABLE,) if tenth <= 5 else (UNREADABLE, OK)
            yield OddFile(f"{kind}-cut-at-{tenth}0-percent", part, statuses)


def _junk() -> Iterator[OddFile]:
    jpeg, noise = encoded(photograph(), "JPEG"), np.random.default_rng(7).bytes(5000)
    yield OddFile("empty", b"", (UNREADABLE,))
    yield OddFile("one-byte", b"\xff", (UNREADABLE,))
    yield OddFile("noise", noise, (UNREADABLE,))
    yield OddFile("text", b"This is no picture.\n" * 50, (UNREADABLE,))
    yield OddFile("html", b"<!doctype html><title>404</title>", (UNREADABLE, UNSUPPORTED))
    yield OddFile("pdf", b"%PDF-1.7\n" + noise, (UNSUPPORTED,))
    yield OddFile("svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', (UNSUPPORTED,))
    yield OddFile("heic", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00" + noise, (UNSUPPORTED,))
    yield OddFile("ico", encoded(photograph((64, 64)), "ICO"), (UNSUPPORTED,))
    yield OddFile("ppm", encoded(photograph(), "PPM"), (UNSUPPORTED,))
    yield OddFile("tga", encoded(photograph(), "TGA"), (UNREADABLE, UNSUPPORTED))
    yield OddFile("jpeg-2000", encoded(photograph(), "JPEG2000"), (UNSUPPORTED,))
    yield OddFile("png-magic-then-noise", b"\x89PNG\r\n\x1a\n" + noise, (UNREADABLE,))
    yield OddFile("jpeg-magic-then-noise", b"\xff\xd8\xff\xe0" + noise, (UNREADABLE,))
    yield OddFile("gif-magic-then-noise", b"GIF89a" + noise, (UNREADABLE, OK, TOO_LARGE))
    yield OddFile("bmp-magic-then-noise", b"BM" + noise, (UNREADABLE,))
    yield OddFile("tiff-magic-then-noise", b"II*\x00" + noise, (UNREADABLE,))
    yield OddFile("webp-magic-then-noise", b"RIFF\x88\x13\x00\x00WEBP" + noise, (UNREADABLE,))
    yield OddFile("wrong-magic", b"XX" + jpeg[2:], (UNREADABLE,))
    yield OddFile("trailing-noise", jpeg + noise, (OK,), (320, 240))
    yield OddFile("leading-noise", noise[:100] + jpeg, (UNREADABLE,))


def _bombs() -> Iterator[OddFile]:
    yield OddFile("claims-60000x60000", png_claiming(60_000, 60_000), (TOO_LARGE,))
    yield OddFile("claims-2-billion-wide", png_claiming(2**31 - 1, 1), (TOO_LARGE,))
    yield OddFile("claims-10000x6000", png_claiming(10_000, 6_000), (TOO_LARGE,))
    yield OddFile("claims-1000x1000-holds-less", png_claiming(1_000, 1_000), (UNREADABLE,))
    yield OddFile("claims-no-width", png_claiming(0, 10), (UNREADABLE,))
    black = Image.new("L", (7_000, 7_000))
    yield OddFile("49-megapixels-in-a-few-kilobytes", encoded(black, "PNG"), (OK,), (7_000, 7_000))
    over = Image.new("1", (9_000, 9_000))
    yield OddFile("81-megapixels-in-a-few-kilobytes", encoded(over, "PNG"), (TOO_LARGE,))


def _modes() -> Iterator[OddFile]:
    cat = photograph()
    grey16 = Image.fromarray((np.asarray(cat.convert("L")).astype(np.uint16)) * 257)
    floats = Image.fromarray(np.asarray(cat.convert("L")).astype(np.float32) / 255)
    see_through = cat.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(cat.size))
    for name, picture, kind in (
        ("cmyk-jpeg", cat.convert("CMYK"), "JPEG"),
        ("grey-jpeg", cat.convert("L"), "JPEG"),
        ("cmyk-tiff", cat.convert("CMYK"), "TIFF"),
        ("16-bit-png", grey16, "PNG"),
        ("16-bit-tiff", grey16, "TIFF"),
        ("float-tiff", floats, "TIFF"),
        ("palette-png", cat.convert("P"), "PNG"),
        ("bilevel-png", cat.convert("1"), "PNG"),
        ("grey-alpha-png", see_through.convert("LA"), "PNG"),
        ("alpha-png", see_through, "PNG"),
        ("alpha-webp", see_through, "WEBP"),
        ("lab-tiff", cat.convert("LAB"), "TIFF"),
    ):
        yield OddFile(name, encoded(picture, kind), (OK,), (320, 240))
    progressive = encoded(cat, "JPEG", progressive=True)
    yield OddFile("progressive-jpeg", progressive, (OK,), (320, 240))
    keyed = encoded(cat.convert("P"), "PNG", transparency=0)
    yield OddFile("palette-with-transparency", keyed, (OK,), (320, 240))


def _shapes() -> Iterator[OddFile]:
    for width, height in ((1, 1), (1, 500), (500, 1), (20_000, 8), (8, 20_000), (20_000, 2_000)):
        picture = Image.new("RGB", (width, height), "orange")
        name = f"{width}x{height}"
        yield OddFile(name, encoded(picture, "PNG"), (OK,), (width, height))


def _turned() -> Iterator[OddFile]:
    for orientation in (*range(1, 9), 0, 9, 255):
        exif = Image.Exif()
        exif[0x0112] = orientation
        size = (240, 320) if orientation in (5, 6, 7, 8) else (320, 240)
        data = encoded(photograph(), "JPEG", exif=exif)
        yield OddFile(f"exif-orientation-{orientation}", data, (OK,), size)
    damaged = encoded(photograph(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff" * 3)
    yield OddFile("damaged-exif", damaged, (OK,), (320, 240))


def _animated() -> Iterator[OddFile]:
    frames = [photograph(), Image.new("RGB", (320, 240), "red")]
    for kind in ("GIF", "WEBP", "PNG", "TIFF", "AVIF"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        yield OddFile(f"animated-{kind}", data, (OK,), (320, 240))
