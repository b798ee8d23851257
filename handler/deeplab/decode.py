"""The image policy: which bytes are a picture that we take, and how they are decoded.

JPEG, PNG, WebP, GIF and TIFF (first frame), BMP, AVIF; EXIF orientation applied; alpha composited
on white; CMYK, palette, 16-bit and grey converted to 8-bit RGB.
"""

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, ExifTags, Image

from deeplab.errors import (
    RejectedImageError,
    TooManyPixelsError,
    UnreadableImageError,
    UnsupportedFormatError,
)
from deeplab.formats import FORMAT_NAMES, FORMATS, is_other_format
from deeplab.jpeg import JPEG_FORMATS, decode_plain, has_more_scans
from deeplab.memory_limit import memory_limit
from deeplab.webp import canvas_size

MAX_PIXELS = 50_000_000
# The most that decoding may take: WebP takes 16 bytes for a pixel, no other format more than 12.
PIXEL_BYTES = 16
# Pillow keeps some files' metadata once for each mention: a megabyte can become gigabytes.
METADATA_BYTES = 160 * 1024 * 1024
MAX_FULL_SCANS = 20  # of a JPEG with as many pixels as the limit; smaller ones may have more

# What Pillow's decoders raise on damaged data, as seen by feeding them such data.
DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    AssertionError,
    NotImplementedError,
    RuntimeError,
    SystemError,  # C code that found no memory and did not say so
    struct.error,
    zlib.error,
)

# Pillow would give a small picture a thread for each of a large machine's cores, with a stack each.
AvifImagePlugin.DEFAULT_MAX_THREADS = 4

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class Decoded:
    """A decoded picture, as stored: not yet turned upright, perhaps at reduced scale.

    pixels: a picture of mode L, LA, RGB, RGBA, or I and F for deeper levels; of an ordinary JPEG
        (h, w, 3) uint8 RGB.
    size: (width, height) in pixels of the upright picture at full scale.
    orientation: EXIF's 1..8.
    deep: the levels are 16-bit (0..65535).
    """

    pixels: Image.Image | NDArray[np.uint8]
    size: tuple[int, int]
    orientation: int
    deep: bool

    @property
    def is_rgb(self) -> bool:
        """Whether the pixels are 8-bit RGB already."""
        return isinstance(self.pixels, np.ndarray) or self.pixels.mode == "RGB"

    @property
    def decoded_size(self) -> tuple[int, int]:
        """(width, height) of the pixels."""
        if isinstance(self.pixels, np.ndarray):
            return self.pixels.shape[1], self.pixels.shape[0]
        return self.pixels.size

    @property
    def picture(self) -> Image.Image:
        """As Pillow has it, made of an array if need be."""
        return Image.fromarray(self.pixels) if isinstance(self.pixels, np.ndarray) else self.pixels


def decode(data: bytes, wanted_side: int, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode the first frame; the long side is kept at ``wanted_side`` pixels or above.

    Raises a RejectedImageError, whose text says what to do.
    """
    if not data:
        raise UnreadableImageError("The file is empty. Send the bytes of a picture.")
    canvas = canvas_size(data) or (0, 0)
    _check_pixels(canvas, max_pixels)
    try:
        with memory_limit(_budget(canvas), _too_much_memory) as allow:
            picture = _identify(data, max_pixels)
            _check_pixels(picture.size, max_pixels)
            allow(_budget(picture.size))
            return _load(picture, data, wanted_side, max_pixels)
    except MemoryError as exc:
        raise _too_much_memory() from exc


def _load(picture: Image.Image, data: bytes, wanted_side: int, max_pixels: int) -> Decoded:
    width, height = picture.size
    shrink = wanted_side / max(width, height)
    wanted = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    try:
        # A JPEG can be decoded at 1/2, 1/4 or 1/8 for a fraction of the time.
        drafted = picture.draft(None, wanted)
        pixels = _pixels(picture, data, MAX_FULL_SCANS * max_pixels // (width * height))
        if drafted is None:
            width, height = picture.size  # a TIFF is turned upright while it is loaded
        orientation = _orientation(picture)
    except DECODER_ERRORS as exc:
        raise UnreadableImageError(_damaged(exc)) from exc
    size = (height, width) if orientation in SIDEWAYS else (width, height)
    return Decoded(pixels, size, orientation, deep=picture.mode.startswith("I;16"))


def _pixels(picture: Image.Image, data: bytes, most_scans: int) -> Image.Image | NDArray[np.uint8]:
    plain = decode_plain(picture, data)
    if plain is not None:
        return plain
    if picture.format in JPEG_FORMATS and has_more_scans(data, most_scans):
        raise UnreadableImageError(
            f"The JPEG draws its picture in more than {most_scans} passes. "
            "Save it again as baseline."
        )
    picture.load()
    return _resizable(picture)


def _identify(data: bytes, max_pixels: int) -> Image.Image:
    """Read the header only."""
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as exc:
        raise TooManyPixelsError(_too_many("more", max_pixels)) from exc
    except DECODER_ERRORS as exc:
        raise _refusal(data) from exc


def _budget(size: tuple[int, int]) -> int:
    return METADATA_BYTES + PIXEL_BYTES * size[0] * size[1]


def _too_much_memory() -> UnreadableImageError:
    return UnreadableImageError(
        "The picture takes far more memory than its size explains. Save it again, plainly."
    )


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise TooManyPixelsError(_too_many(f"{width} x {height}", max_pixels))


def _too_many(found: str, max_pixels: int) -> str:
    return (
        f"The picture has {found} pixels, the limit is {max_pixels:,} in all. Send a smaller one."
    )


def _refusal(data: bytes) -> RejectedImageError:
    """Why Pillow could not open the bytes: another format, or no picture at all."""
    try:
        other = is_other_format(data)
    except DECODER_ERRORS:
        other = False
    if other:
        return UnsupportedFormatError(f"This format is not taken. Send {FORMAT_NAMES}.")
    return UnreadableImageError(
        f"The bytes are no picture, or only its beginning. Send {FORMAT_NAMES}."
    )


def _damaged(exc: BaseException) -> str:
    reason = str(exc) or type(exc).__name__
    return f"The picture is damaged or cut short ({reason[:120]}). Send it again, whole."


def _orientation(picture: Image.Image) -> int:
    """EXIF orientation 1..8; 1 where there is none or the EXIF block is damaged."""
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except DECODER_ERRORS:
        return 1


def _resizable(picture: Image.Image) -> Image.Image:
    """Convert the modes that Pillow cannot interpolate."""
    keyed = "transparency" in picture.info
    if picture.mode in ("L", "LA", "RGB", "RGBA", "I", "F") and not keyed:
        return picture
    if picture.mode.startswith("I;16"):
        return picture.convert("I")
    return picture.convert("RGBA" if keyed or picture.mode in ("PA", "La", "RGBa") else "RGB")
