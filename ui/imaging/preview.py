"""Decodes what a person uploaded for showing it: upright, RGB, bounded in size and memory."""

import io
import struct
import threading
import zlib

import numpy as np
from PIL import Image, ImageOps

from ui.imaging.formats import EXTENSIONS

# Only these: a decoder that is hardly used is more likely to have a vulnerability.
_FORMATS = tuple(EXTENSIONS)

# Everything Pillow's decoders were seen to raise for broken or hostile files.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    AssertionError,
    EOFError,
    RuntimeError,
    MemoryError,
    SystemError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

# One picture at a time: the peak memory of the page must not grow with its visitors.
_decoding = threading.Lock()

_SIXTEEN_BIT_TO_EIGHT = 1 / 257


class CannotShowError(Exception):
    """The picture cannot be shown by the page; the service may take it all the same."""


def load_upright(data: bytes, long_side: int, max_pixels: int) -> Image.Image:
    """Decode to upright RGB, uint8, scaled down to long_side pixels if it is larger.

    Follows the service's policy: first frame, EXIF orientation, alpha on white, 32-bit levels
    stretched from the darkest to the brightest. CannotShowError says in words why a picture that
    needs more than max_pixels in memory, or that Pillow cannot read, is not shown.
    """
    try:
        with _decoding, Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            width, height = picture.size
            # JPEG can be decoded at a fraction of its size, and then only that counts.
            scale = long_side / max(width, height)
            picture.draft(None, (max(1, int(width * scale)), max(1, int(height * scale))))
            if picture.width * picture.height > max_pixels:
                raise CannotShowError(
                    f"It has {width} x {height} pixels; this page decodes up to "
                    f"{max_pixels / 1e6:g} megapixels."
                )
            return _upright_rgb(picture, long_side)
    except _DECODER_ERRORS as error:
        raise CannotShowError("This page cannot read the file as a picture.") from error


def _upright_rgb(picture: Image.Image, long_side: int) -> Image.Image:
    small = _with_plain_channels(picture)
    if small.mode in ("I", "F"):
        # Bicubic goes beyond the darkest and brightest level, a first coarse step beyond 32 bits.
        small.thumbnail((long_side, long_side), Image.Resampling.BILINEAR, reducing_gap=None)
        return _stretched(ImageOps.exif_transpose(small)).convert("RGB")
    small.thumbnail((long_side, long_side), Image.Resampling.BICUBIC)
    return _on_white(ImageOps.exif_transpose(small))


def _with_plain_channels(picture: Image.Image) -> Image.Image:
    """Convert the modes that cannot be scaled smoothly as they are."""
    if picture.mode.startswith("I;16"):
        grey = picture.convert("I").point(lambda level: level * _SIXTEEN_BIT_TO_EIGHT)
        return grey.convert("L")
    if picture.mode in ("P", "PA", "1"):
        return picture.convert("RGBA")
    return picture


def _stretched(picture: Image.Image) -> Image.Image:
    """Modes I and F to L, from the darkest to the brightest level; what is no number is 0."""
    levels = np.nan_to_num(np.asarray(picture, dtype=np.float64), posinf=0.0, neginf=0.0)
    span = max(float(np.ptp(levels)), np.finfo(np.float64).tiny)
    return Image.fromarray(((levels - levels.min()) / span * 255).astype(np.uint8))


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")
