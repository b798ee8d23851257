"""Decoding of uploaded images for display: upright, RGB, limited in size and memory."""

import io
import struct
import threading
import zlib

import numpy as np
from PIL import ExifTags, Image

from ui.imaging.formats import EXTENSIONS
from ui.imaging.rare_levels import with_colour_key, with_true_levels

# Only these: a decoder that is hardly used is more likely to have a vulnerability.
_FORMATS = tuple(EXTENSIONS)

# What Pillow's decoders were seen to raise for damaged or hostile files.
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

# One image at a time: the page's peak memory must not grow with its visitors.
_decoding = threading.Lock()

# EXIF orientation -> what turns the stored image upright.
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PreviewError(Exception):
    """The page cannot decode the image; the message is for the visitor.

    The model may segment it all the same.
    """


def decode_upright(data: bytes, long_side: int, max_pixels: int) -> Image.Image:
    """Decode to upright RGB, uint8, scaled down to long_side pixels if it is larger.

    This is the handler's image policy (docs/api.md), so that visitors see what the model sees; a
    contract test compares the two. PreviewError if Pillow cannot decode the file, or if it needs
    more than max_pixels in memory.
    """
    try:
        with _decoding, Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            # A JPEG can be decoded at a fraction of its size, and then only that counts.
            scale = long_side / max(width, height)
            image.draft(None, (max(1, int(width * scale)), max(1, int(height * scale))))
            if image.width * image.height > max_pixels:
                raise PreviewError(
                    f"It has {width} x {height} pixels; this page decodes up to "
                    f"{max_pixels / 1e6:g} megapixels."
                )
            return _upright_rgb(image, data, long_side)
    except _DECODER_ERRORS as error:
        raise PreviewError("This page cannot read the file as a picture.") from error


def _upright_rgb(image: Image.Image, data: bytes, long_side: int) -> Image.Image:
    image.info.pop("xmp", None)  # by which Pillow would turn a TIFF
    image.load()
    orientation = _orientation(image)  # after load, which turns a TIFF upright
    levels = with_colour_key(with_true_levels(image), data)
    rgb = _on_white(_scaled_down(_resizable(levels), long_side))
    transposition = _TRANSPOSITIONS.get(orientation)
    return rgb if transposition is None else rgb.transpose(transposition)


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation; 1 if there is none or the EXIF block is damaged.

    Pillow's own way takes XMP and PNG's texts for EXIF.
    """
    block = image.info.get("exif")
    if block is None or "exif" in getattr(image, "text", {}):
        return 1
    exif = Image.Exif()
    try:
        exif.load(block)
        return int(exif.get(ExifTags.Base.Orientation, 1))
    except _DECODER_ERRORS:
        return 1


def _resizable(image: Image.Image) -> Image.Image:
    """Convert the modes that cannot be interpolated: 16 bits, palettes, transparent colours."""
    if image.mode.startswith("I;16"):
        high_bytes = np.asarray(image.convert("I")) >> 8
        return Image.fromarray(high_bytes.astype(np.uint8))
    has_transparent_colour = "transparency" in image.info
    if has_transparent_colour or image.mode == "PA":
        return image.convert("RGBA")
    return image.convert("RGB") if image.mode in ("P", "1") else image


def _scaled_down(image: Image.Image, long_side: int) -> Image.Image:
    """Scale down to long_side pixels; modes I and F become L."""
    size = (long_side, long_side)
    if image.mode in ("I", "F"):
        # Bicubic overshoots the darkest and brightest level; reducing_gap overflows 32 bits.
        image.thumbnail(size, Image.Resampling.BILINEAR, reducing_gap=None)
        return _stretched(image)
    image.thumbnail(size, Image.Resampling.BICUBIC)
    return image


def _stretched(image: Image.Image) -> Image.Image:
    """Stretch modes I and F from the darkest to the brightest level: mode L, 0 to 255."""
    levels = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
    span = max(float(np.ptp(levels)), np.finfo(np.float64).tiny)
    return Image.fromarray(((levels - levels.min()) / span * 255).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    """Convert to RGB; transparency is composited on white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")
