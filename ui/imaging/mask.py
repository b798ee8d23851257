"""Masks of class ids: read, resized and matched to the image they were made from."""

import io

from PIL import Image

# The mask and the image are scaled by different code; their sides may differ by rounding.
_ROUNDING_PX = 2


class BadMaskError(Exception):
    """The bytes are no mask, or the mask does not have the shape of the image."""


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


def shrink(mask: Image.Image, long_side: int) -> Image.Image:
    """Scale a mask down so that its long side is at most long_side pixels."""
    scale = min(1.0, long_side / max(mask.size))
    width, height = (max(1, round(side * scale)) for side in mask.size)
    return resize_class_ids(mask, (width, height))


def match_size(mask: Image.Image, image: Image.Image) -> Image.Image:
    """Scale a mask to the size of its image; BadMaskError if the two differ in shape."""
    expected = shrink(mask, max(image.size)).size
    if any(abs(a - b) > _ROUNDING_PX for a, b in zip(expected, image.size, strict=True)):
        raise BadMaskError(
            f"The mask has {mask.width} x {mask.height} pixels, which does not fit the picture."
        )
    return resize_class_ids(mask, image.size)


def palette_colours(mask: Image.Image) -> dict[int, str]:
    """Read the colours of a mask's palette, as '#rrggbb' by class id."""
    levels = mask.getpalette("RGB") or []
    return {
        start // 3: "#{:02x}{:02x}{:02x}".format(*levels[start : start + 3])
        for start in range(0, len(levels) - 2, 3)
    }
