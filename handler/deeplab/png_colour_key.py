"""The transparent colour of a PNG (its tRNS chunk), in the depths in which Pillow misses it.

Pillow compares levels of 2 and 4 bits after it has scaled them, and levels of 16 bits by one byte.
"""

from functools import reduce
from io import BytesIO

import numpy as np
from PIL import Image, ImageChops, PngImagePlugin

DEPTH = 24  # the place of the depth in a PNG: in the first chunk, IHDR
LOW_BYTES = "RGB;16L"  # Pillow's name of little-endian levels: takes the second byte of each


def with_colour_key(image: Image.Image, data: bytes) -> Image.Image:
    """A loaded image whose transparent colour is right, or has become alpha; others as they are.

    Raises what Pillow's decoders raise.
    """
    key = image.info.get("transparency")
    if not isinstance(image, PngImagePlugin.PngImageFile) or not isinstance(key, int | tuple):
        return image
    if image.mode.startswith("I;16") and isinstance(key, int):
        return _grey(image, key)
    if image.mode == "RGB" and isinstance(key, tuple) and data[DEPTH] == 16:
        return _rgb(image, key, data)
    if image.mode == "L" and isinstance(key, int):
        brightest = 2 ** data[DEPTH] - 1
        image.info["transparency"] = (key & brightest) * 255 // brightest
    return image


def _grey(image: Image.Image, key: int) -> Image.Image:
    """16-bit grey to LA: the high byte, transparent where both bytes are the key's."""
    levels = np.asarray(image)
    alpha = np.where(levels == key, 0, 255).astype(np.uint8)
    high = (levels >> 8).astype(np.uint8)
    return Image.merge("LA", (Image.fromarray(high), Image.fromarray(alpha)))


def _rgb(image: Image.Image, key: tuple[int, ...], data: bytes) -> Image.Image:
    """16-bit RGB, of which Pillow decoded the high bytes, to RGBA: the low ones are decoded too."""
    low = Image.open(BytesIO(data), formats=("PNG",))
    low.tile = [tile._replace(args=LOW_BYTES) for tile in low.tile]
    low.load()
    is_low = _is_colour(low, [level & 0xFF for level in key])
    low.close()
    is_key = ImageChops.darker(_is_colour(image, [level >> 8 for level in key]), is_low)
    rgba = image.convert("RGB")
    rgba.info.clear()
    rgba.putalpha(ImageChops.invert(is_key))
    return rgba


def _is_colour(image: Image.Image, colour: list[int]) -> Image.Image:
    """Mode L: 255 where all bands have the colour's level, 0 elsewhere."""
    bands = zip(image.split(), colour, strict=True)
    return reduce(
        ImageChops.darker,
        (band.point([255 * (level == wanted) for level in range(256)]) for band, wanted in bands),
    )
