"""The image policy: which bytes are accepted as an image, and how they are decoded.

The first frame counts; EXIF orientation is recorded; CMYK, palette and 1-bit images become RGB or
RGBA; 16-bit and deeper ones keep their levels for preprocessing.
"""

import struct
import zlib
from collections.abc import Callable
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
from deeplab.formats import FORMAT_LIST, FORMATS, other_format
from deeplab.jpeg import JPEG_FORMATS, decode_baseline, has_more_scans
from deeplab.kinds import kind_not_taken
from deeplab.memory_limit import memory_limit
from deeplab.png_colour_key import with_colour_key
from deeplab.tiff import tiff_not_taken, true_levels
from deeplab.webp import canvas_size

MAX_PIXELS = 50_000_000
# Memory that decoding may take per pixel: WebP takes 16 bytes, no other format more than 12.
PIXEL_BYTES = 16
# Pillow keeps some files' metadata once per mention: a megabyte can become gigabytes.
METADATA_BYTES = 160 * 1024 * 1024
MAX_FULL_SCANS = 20  # of a JPEG with as many pixels as the limit; smaller ones may have more

# What Pillow's decoders raise on damaged data, as observed by feeding them such data.
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
    SystemError,  # C code that failed to allocate memory and set no error
    struct.error,
    zlib.error,
)

# By default Pillow starts one thread per core for any image, each with a stack of its own.
AvifImagePlugin.DEFAULT_MAX_THREADS = 4

MinLongSide = int | Callable[[tuple[int, int]], int]

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class Decoded:
    """A decoded image as stored: not yet turned upright, perhaps at a reduced scale.

    pixels: an image of mode L, LA, RGB, RGBA, or I and F for deeper levels; for a baseline JPEG
        (h, w, 3) uint8 RGB.
    size: (width, height) in pixels of the upright image at full scale.
    orientation: EXIF's 1..8.
    is_16_bit: the levels are 0..65535.
    """

    pixels: Image.Image | NDArray[np.uint8]
    size: tuple[int, int]
    orientation: int
    is_16_bit: bool

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
    def image(self) -> Image.Image:
        """The pixels as a Pillow image, created from the array if need be."""
        return Image.fromarray(self.pixels) if isinstance(self.pixels, np.ndarray) else self.pixels


def decode(data: bytes, min_long_side: MinLongSide, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode the first frame, perhaps reduced, but to a long side of at least ``min_long_side``.

    min_long_side: in pixels, or a function of the upright image's (width, height).

    Raises a RejectedImageError, whose text says what to do.
    """
    if not data:
        raise UnreadableImageError("The file is empty. Send the bytes of a picture.")
    kind = tiff_not_taken(data)  # before Pillow shows them wrong
    if kind is not None:
        raise _not_taken(kind)
    canvas = canvas_size(data) or (0, 0)
    _check_pixels(canvas, max_pixels)
    try:
        with memory_limit(_memory_budget(canvas), _too_much_memory) as set_max_growth:
            image = _open(data, max_pixels)
            _check_pixels(image.size, max_pixels)
            set_max_growth(_memory_budget(image.size))
            return _load(image, data, min_long_side, max_pixels)
    except MemoryError as exc:
        raise _too_much_memory() from exc


def _open(data: bytes, max_pixels: int) -> Image.Image:
    """Read the header only."""
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as exc:
        raise TooManyPixelsError(_pixels_message("more", max_pixels)) from exc
    except DECODER_ERRORS as exc:
        raise _format_error(data) from exc


def _load(image: Image.Image, data: bytes, min_long_side: MinLongSide, max_pixels: int) -> Decoded:
    width, height = image.size
    if not isinstance(min_long_side, int):
        sideways = _orientation(image) in SIDEWAYS
        min_long_side = min_long_side((height, width) if sideways else (width, height))
    scale = min_long_side / max(width, height)
    reduced = (max(1, round(width * scale)), max(1, round(height * scale)))
    try:
        # A JPEG can be decoded at 1/2, 1/4 or 1/8 for a fraction of the time.
        drafted = image.draft(None, reduced)
        pixels = _pixels(image, data, MAX_FULL_SCANS * max_pixels // (width * height))
        if drafted is None:
            width, height = image.size  # Pillow turns a TIFF upright while loading it
        orientation = _orientation(image)
    except DECODER_ERRORS as exc:
        kind = None if image.format == "BMP" else kind_not_taken(data)  # a BMP's opening decides
        if kind is not None:
            raise _not_taken(kind) from exc
        raise UnreadableImageError(_damage_message(exc)) from exc
    size = (height, width) if orientation in SIDEWAYS else (width, height)
    return Decoded(pixels, size, orientation, is_16_bit=image.mode.startswith("I;16"))


def _pixels(image: Image.Image, data: bytes, max_scans: int) -> Image.Image | NDArray[np.uint8]:
    baseline = decode_baseline(image, data)
    if baseline is not None:
        return baseline
    if image.format in JPEG_FORMATS and has_more_scans(data, max_scans):
        raise UnreadableImageError(
            f"The JPEG draws its picture in more than {max_scans} passes. "
            "Save it again as baseline."
        )
    image.info.pop("xmp", None)  # by which Pillow would turn a TIFF
    image.load()
    return _resizable(with_colour_key(true_levels(image), data))


def _resizable(image: Image.Image) -> Image.Image:
    """Convert the modes that Pillow cannot interpolate."""
    has_colour_key = "transparency" in image.info
    if image.mode in ("L", "LA", "RGB", "RGBA", "I", "F") and not has_colour_key:
        return image
    if image.mode.startswith("I;16"):
        return image.convert("I")
    has_alpha = has_colour_key or image.mode in ("PA", "La", "RGBa")
    return image.convert("RGBA" if has_alpha else "RGB")


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 if there is none or the EXIF block is damaged.

    Read here because Pillow's own way takes XMP and PNG's texts for EXIF; browsers do not.
    """
    block = image.info.get("exif")
    if block is None or "exif" in getattr(image, "text", {}):
        return 1
    exif = Image.Exif()
    try:
        exif.load(block)
        return int(exif.get(ExifTags.Base.Orientation, 1))
    except DECODER_ERRORS:
        return 1


def _memory_budget(size: tuple[int, int]) -> int:
    return METADATA_BYTES + PIXEL_BYTES * size[0] * size[1]


def _too_much_memory() -> UnreadableImageError:
    return UnreadableImageError(
        "The picture takes far more memory than its size explains. Save it again, plainly."
    )


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise TooManyPixelsError(_pixels_message(f"{width} x {height}", max_pixels))


def _pixels_message(pixels: str, max_pixels: int) -> str:
    return (
        f"The picture has {pixels} pixels, the limit is {max_pixels:,} in all. Send a smaller one."
    )


def _format_error(data: bytes) -> RejectedImageError:
    """The error for bytes that Pillow could not open: another format, or not an image at all."""
    try:
        kind = kind_not_taken(data) or other_format(data)
    except DECODER_ERRORS:
        kind = None
    if kind is not None:
        return _not_taken(kind)
    return UnreadableImageError(
        f"The bytes are no picture, or only its beginning. Send {FORMAT_LIST}."
    )


def _not_taken(kind: str) -> UnsupportedFormatError:
    return UnsupportedFormatError(f"{kind} is not taken. Send {FORMAT_LIST}.")


def _damage_message(exc: BaseException) -> str:
    reason = str(exc) or type(exc).__name__
    return f"The picture is damaged or cut short ({reason[:120]}). Send it again, whole."
