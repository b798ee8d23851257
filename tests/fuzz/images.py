"""Images: any bytes, through every stage of the handler but the network."""

import io
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from deeplab.errors import RejectedImageError
from deeplab.formats import FORMATS
from deeplab.pipeline import segment
from deeplab.render_options import RenderOptions
from deeplab.spec import InputSize, Precision
from tests.fuzz.target import Target, replay

# Far below the service's limit, so that an execution takes milliseconds.
MAX_PIXELS = 500_000
INPUT_SIZE = InputSize(long_side=97, grid=16)
COLOURS = ((1, (255, 0, 0)), (2, (0, 255, 0)))
OPTIONS = (
    RenderOptions(),
    RenderOptions(render="overlay", colours=COLOURS),
    RenderOptions(render="cutout", classes=frozenset({1, 3})),
    RenderOptions(render="confidence", classes=frozenset({0, 2}), confidence=True),
)


class Patches:
    """An engine in place of the network: the same patches of four classes for every image."""

    name = "patches"
    precision: Precision = "f32"
    largest_batch = 1
    aligned = True

    def __init__(self) -> None:
        self._all = np.random.default_rng(7).normal(size=(4, 7, 7)).astype(np.float32)

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (4, h', w') float32 logits."""
        _, height, width, _ = pixels.shape
        return self._all[:, : 1 + height // INPUT_SIZE.grid, : 1 + width // INPUT_SIZE.grid]


ENGINE = Patches()


def check(data: bytes) -> None:
    """Either rejected by the policy, or segmented to a PNG of the image's size.

    The render options depend on the bytes, so that a finding consists of an image alone.
    """
    options = OPTIONS[zlib.crc32(data) % len(OPTIONS)]
    try:
        result = segment(data, ENGINE, INPUT_SIZE, MAX_PIXELS, options)
    except RejectedImageError:
        return
    png = Image.open(io.BytesIO(result.png))
    png.load()
    assert png.width * png.height == sum(result.class_pixels.values()) <= MAX_PIXELS
    assert 0 <= result.confidence <= 1


def _encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _sample() -> Image.Image:
    levels = np.random.default_rng(7).integers(0, 256, (3, 4, 3)).astype(np.uint8)
    return Image.fromarray(levels).resize((20, 15), Image.Resampling.BILINEAR)


def seeds() -> list[bytes]:
    """Small files of each format, and of the modes and structures that it has."""
    image = _sample()
    alpha, palette = image.convert("RGBA"), image.quantize(8)
    deep = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return [
        *(_encode(image, kind) for kind in FORMATS),
        *(_encode(image, kind, exif=exif) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")),
        *(_encode(alpha, kind) for kind in ("PNG", "WEBP", "TIFF", "BMP", "AVIF")),
        *(_encode(palette, kind, transparency=3) for kind in ("PNG", "GIF")),
        *(_encode(deep, kind) for kind in ("PNG", "TIFF")),
        *(_encode(image.convert("L"), kind) for kind in ("JPEG", "PNG", "TIFF", "BMP")),
        *(_encode(image.convert("1"), kind) for kind in ("PNG", "TIFF", "BMP")),
        *(_encode(image.convert("CMYK"), kind) for kind in ("JPEG", "TIFF")),
        *(_compressed(image, how) for how in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")),
        _encode(image, "JPEG", progressive=True),
        _encode(image, "WEBP", lossless=True),
        _encode(image.convert("F"), "TIFF"),
        *(_animation(image, kind) for kind in ("GIF", "PNG", "WEBP", "TIFF")),
    ]


def _compressed(image: Image.Image, how: str) -> bytes:
    return _encode(image, "TIFF", compression=how)


def _animation(image: Image.Image, kind: str) -> bytes:
    turned = image.transpose(Image.Transpose.ROTATE_180)
    return _encode(image, kind, save_all=True, append_images=[turned])


WORDS = (
    *(b"\xff\xd8", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xe1", b"Exif\0\0", b"MPF\0"),
    *(b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"iCCP", b"eXIf", b"iTXt", b"zTXt", b"acTL", b"fcTL"),
    *(b"GIF89a", b"\x21\xf9", b"\x21\xfe", b"\x21\xff\x0bNETSCAPE2.0", b"II*\0", b"MM\0*", b"BM"),
    *(b"RIFF", b"WEBP", b"VP8 ", b"VP8L", b"VP8X", b"ANMF", b"ftypavif", b"ispe", b"ipco", b"irot"),
)
TARGET = Target(check, seeds, WORDS)

if __name__ == "__main__":
    replay(TARGET)
