"""Image files made in memory: valid ones, and some whose headers claim more than they hold."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import ExifTags, Image

EXAMPLES = Path(__file__).parents[3] / "ui" / "examples"
EXACT: dict[str, dict[str, object]] = {  # options that preserve flat colours
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
UPRIGHT_TO_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """Encode an image in Pillow's format ``kind``."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **{**EXACT.get(kind, {}), **options})
    return buffer.getvalue()


def quarters(width: int = 96, height: int = 64) -> Image.Image:
    """Red and green above blue and white: no two orientations of it are alike."""
    image = Image.new("RGB", (width, height), "white")
    half = (width // 2, height // 2)
    image.paste((255, 0, 0), (0, 0, *half))
    image.paste((0, 128, 0), (half[0], 0, width, half[1]))
    image.paste((0, 0, 255), (0, half[1], half[0], height))
    return image


def turned(upright: Image.Image, orientation: int, kind: str) -> bytes:
    """Encode an image with its pixels turned and the EXIF orientation that turns them back."""
    turn = UPRIGHT_TO_STORED[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return encode(stored, kind, exif=exif)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk with its length and checksum."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _png(size: tuple[int, int]) -> bytes:
    small = encode(quarters(), "PNG")
    return small[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)) + small[33:]


def _bmp(size: tuple[int, int]) -> bytes:
    data = bytearray(encode(quarters(), "BMP"))
    struct.pack_into("<ii", data, 18, *size)
    return bytes(data)


def _gif(size: tuple[int, int]) -> bytes:
    data = bytearray(encode(quarters(), "GIF"))
    struct.pack_into("<HH", data, 6, *size)
    return bytes(data)


def _gif_frame(size: tuple[int, int]) -> bytes:
    data = bytearray(encode(quarters(), "GIF"))
    struct.pack_into("<HH", data, data.find(b",\0\0\0\0") + 5, *size)
    return bytes(data)


def _jpeg(size: tuple[int, int]) -> bytes:
    data = bytearray(encode(quarters(), "JPEG"))
    struct.pack_into(">HH", data, data.find(b"\xff\xc0") + 5, size[1], size[0])
    return bytes(data)


def _tiff(size: tuple[int, int]) -> bytes:
    data = bytearray(encode(quarters(), "TIFF"))
    start = struct.unpack_from("<I", data, 4)[0]
    for index in range(struct.unpack_from("<H", data, start)[0]):
        entry = start + 2 + 12 * index
        tag = struct.unpack_from("<H", data, entry)[0]
        if tag in (256, 257):  # ImageWidth, ImageLength
            struct.pack_into("<HHII", data, entry, tag, 4, 1, size[tag - 256])
    return bytes(data)


def _webp(size: tuple[int, int]) -> bytes:
    frames = [quarters().transpose(Image.Transpose.ROTATE_180)]
    data = bytearray(encode(quarters(), "WEBP", save_all=True, append_images=frames))
    canvas = data.find(b"VP8X") + 12
    for offset, side in zip((0, 3), size, strict=True):
        data[canvas + offset : canvas + offset + 3] = (side - 1).to_bytes(3, "little")
    return bytes(data)


def _avif(size: tuple[int, int]) -> bytes:
    data = bytearray(encode(quarters(), "AVIF"))
    struct.pack_into(">II", data, data.find(b"ispe") + 8, *size)
    return bytes(data)


# Small files whose headers claim the given (width, height).
CLAIMS: dict[str, Callable[[tuple[int, int]], bytes]] = {
    "PNG": _png,
    "BMP": _bmp,
    "GIF": _gif,
    "GIF frame": _gif_frame,
    "JPEG": _jpeg,
    "TIFF": _tiff,
    "WebP": _webp,
    "AVIF": _avif,
}
