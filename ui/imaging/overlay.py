"""Pixel code of the page: masks of class ids, their colours, and the blend over a picture."""

import io
from collections.abc import Collection

from PIL import Image

# The mask and the picture are scaled by different code; their sides may differ by rounding.
_ROUNDING_PX = 2


class BadMaskError(Exception):
    """What should be a mask is none, or does not belong to the picture."""


def read_mask(png: bytes) -> Image.Image:
    """Decode an indexed PNG: mode P, pixel = class id, palette = the classes' colours."""
    try:
        mask = Image.open(io.BytesIO(png), formats=("PNG",))
        mask.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadMaskError("The mask in the gateway's answer cannot be read.") from error
    if mask.mode != "P":
        raise BadMaskError("The gateway's answer is a picture, but not an indexed mask.")
    return mask


def resize_class_ids(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize class ids with NEAREST: a smoothing filter would invent classes."""
    return mask.resize(size, Image.Resampling.NEAREST)


def bounded(mask: Image.Image, long_side: int) -> Image.Image:
    """Scale a mask down so that its long side is at most long_side pixels."""
    scale = min(1.0, long_side / max(mask.size))
    width, height = (max(1, round(side * scale)) for side in mask.size)
    return resize_class_ids(mask, (width, height))


def matched(mask: Image.Image, picture: Image.Image) -> Image.Image:
    """Scale a mask to the size of the picture it was made from; BadMaskError if it was not."""
    expected = bounded(mask, max(picture.size)).size
    if any(abs(a - b) > _ROUNDING_PX for a, b in zip(expected, picture.size, strict=True)):
        raise BadMaskError(
            f"The mask has {mask.width} x {mask.height} pixels, which does not fit the picture."
        )
    return resize_class_ids(mask, picture.size)


def blend(
    picture: Image.Image, mask: Image.Image, opacity: float, clear: Collection[int]
) -> Image.Image:
    """Lay the classes' colours over a picture.

    picture: RGB; mask: mode P of the same size; opacity: 0 (picture) to 1 (colours); clear: the
    class ids that stay see-through. Returns RGB.
    """
    alpha = [0 if class_id in clear else round(255 * opacity) for class_id in range(256)]
    return Image.composite(mask.convert("RGB"), picture, mask.point(alpha, "L"))


def palette_colours(mask: Image.Image) -> dict[int, str]:
    """Give the colours of a mask's palette as '#rrggbb' by class id."""
    levels = mask.getpalette("RGB") or []
    return {
        start // 3: "#{:02x}{:02x}{:02x}".format(*levels[start : start + 3])
        for start in range(0, len(levels) - 2, 3)
    }


def encode(picture: Image.Image, image_format: str) -> bytes:
    """Encode as PNG, or as JPEG without colour subsampling, which would smear the edges."""
    buffer = io.BytesIO()
    options = {"quality": 90, "subsampling": 0} if image_format == "JPEG" else {}
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()
