"""The image policy: which bytes are a picture that we take, and how they are decoded.

JPEG, PNG, WebP, GIF and TIFF (first frame), BMP, AVIF; EXIF orientation applied; alpha composited
on white; CMYK, palette, 16-bit and grey converted to 8-bit RGB.
"""

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

from PIL import ExifTags, Image

from deeplab.formats import FORMAT_NAMES, FORMATS, is_other_format
from deeplab.jpeg import has_more_scans

MAX_PIXELS = 50_000_000
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
    struct.error,
    zlib.error,
)

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height


class RejectedImageError(Exception):
    """Base of the image policy's refusals.

    RejectedImageError
    |-- UnreadableImageError      422 unreadable_image
    |-- UnsupportedFormatError    415 unsupported_format
    `-- TooManyPixelsError        413 too_many_pixels
    """

    status: int
    code: str


class UnreadableImageError(RejectedImageError):
    """The bytes are no picture, or a damaged one."""

    status, code = 422, "unreadable_image"


class UnsupportedFormatError(RejectedImageError):
    """A picture or document, but in a format that we do not take."""

    status, code = 415, "unsupported_format"


class TooManyPixelsError(RejectedImageError):
    """The header announces more pixels than the limit; nothing was decoded."""

    status, code = 413, "too_many_pixels"


@dataclass(frozen=True)
class Decoded:
    """A decoded picture, as stored: not yet turned upright, perhaps at reduced scale.

    picture: of mode L, LA, RGB, RGBA, or I and F for deeper levels.
    size: (width, height) in pixels of the upright picture at full scale.
    orientation: EXIF's 1..8.
    deep: the levels are 16-bit (0..65535).
    """

    picture: Image.Image
    size: tuple[int, int]
    orientation: int
    deep: bool


def decode(data: bytes, wanted_side: int, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode the first frame; the long side is kept at ``wanted_side`` pixels or above.

    Raises a RejectedImageError, whose text says what to do.
    """
    picture = _open(data, max_pixels)
    width, height = picture.size
    shrink = wanted_side / max(width, height)
    try:
        # A JPEG can be decoded at 1/2, 1/4 or 1/8 for a fraction of the time.
        drafted = picture.draft(None, (round(width * shrink), round(height * shrink)))
        picture.load()
        if drafted is None:
            width, height = picture.size  # a TIFF is turned upright while it is loaded
        orientation = _orientation(picture)
        resizable = _resizable(picture)
    except DECODER_ERRORS as exc:
        raise UnreadableImageError(_damaged(exc)) from exc
    size = (height, width) if orientation in SIDEWAYS else (width, height)
    return Decoded(resizable, size, orientation, deep=picture.mode.startswith("I;16"))


def _open(data: bytes, max_pixels: int) -> Image.Image:
    """Read the header only."""
    if not data:
        raise UnreadableImageError("The file is empty. Send the bytes of a picture.")
    try:
        picture = Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as exc:
        raise TooManyPixelsError(_too_many("more", max_pixels)) from exc
    except DECODER_ERRORS as exc:
        raise _refusal(data) from exc
    width, height = picture.size
    if width * height > max_pixels:
        raise TooManyPixelsError(_too_many(f"{width} x {height}", max_pixels))
    if picture.format in ("JPEG", "MPO"):
        _check_scans(data, width * height, max_pixels)
    return picture


def _check_scans(data: bytes, pixels: int, max_pixels: int) -> None:
    limit = MAX_FULL_SCANS * max_pixels // pixels
    if has_more_scans(data, limit):
        raise UnreadableImageError(
            f"The JPEG draws its picture in more than {limit} passes. Save it again as baseline."
        )


def _too_many(found: str, max_pixels: int) -> str:
    return (
        f"The picture has {found} pixels, the limit is {max_pixels:,} in all. Send a smaller one."
    )


def _refusal(data: bytes) -> RejectedImageError:
    """Why Pillow could not open the bytes: another format, or no picture at all."""
    if is_other_format(data):
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
