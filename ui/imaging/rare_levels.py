"""Levels that Pillow decodes wrong: deep TIFF, and transparent colours of PNG in other depths.

The handler does the same (tiff.py and png_colour_key.py there say why); the page shares no code.
"""

import io
from functools import reduce

import numpy as np
from PIL import Image, ImageChops, PngImagePlugin, TiffImagePlugin

_PHOTOMETRIC, _BITS, _SAMPLE_FORMAT = 262, 258, 339
_UNSIGNED, _SIGNED, _FLOATING = 1, 2, 3
# (photometric, sample format, bits) of one grey sample -> Pillow's mode and the levels' layout,
# in the machine's byte order, in which libtiff returns them.
_GREY = {
    (0, _UNSIGNED, 16): ("I;16", "I;16"),
    (1, _SIGNED, 8): ("I", "I;8S"),
    (1, _SIGNED, 16): ("I", "I;16NS"),
    (1, _UNSIGNED, 32): ("I", "I;32N"),
    (1, _SIGNED, 32): ("I", "I;32NS"),
    (1, _FLOATING, 32): ("F", "F;32NF"),
}
_PNG_DEPTH = 24  # the place of the depth in a PNG

TiffImagePlugin.READ_LIBTIFF = True
for _order in (b"II", b"MM"):
    for (_photometric, _format, _bits), _modes in _GREY.items():
        _kind = (_order, _photometric, (_format,), 1, (_bits,), ())
        TiffImagePlugin.OPEN_INFO[_kind] = _modes


def with_true_levels(image: Image.Image) -> Image.Image:
    """The levels of a loaded image that Pillow leaves inverted or, above 2**31, wrapped."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return image
    tags = image.tag_v2
    if image.mode == "I;16" and tags.get(_PHOTOMETRIC, 0) == 0:
        return Image.fromarray(np.uint16(0xFFFF) - np.asarray(image))
    is_unsigned = tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED
    if image.mode == "I" and is_unsigned and tags.get(_BITS, (1,))[0] == 32:
        return Image.fromarray(np.asarray(image) ^ np.int32(-(2**31)))
    return image


def with_colour_key(image: Image.Image, data: bytes) -> Image.Image:
    """A loaded PNG whose transparent colour is right, or has become alpha; others as they are."""
    key = image.info.get("transparency")
    if not isinstance(image, PngImagePlugin.PngImageFile) or not isinstance(key, int | tuple):
        return image
    if image.mode.startswith("I;16"):
        levels = np.asarray(image)
        bands = (levels >> 8, np.where(levels == key, 0, 255))
        return Image.merge("LA", [Image.fromarray(band.astype(np.uint8)) for band in bands])
    if image.mode == "RGB" and isinstance(key, tuple) and data[_PNG_DEPTH] == 16:
        return _rgba_of_16_bits(image, key, data)
    if image.mode == "L" and isinstance(key, int):
        brightest = 2 ** data[_PNG_DEPTH] - 1
        image.info["transparency"] = (key & brightest) * 255 // brightest
    return image


def _rgba_of_16_bits(image: Image.Image, key: tuple[int, ...], data: bytes) -> Image.Image:
    """Pillow decoded the high bytes; the low ones are decoded to compare both with the key."""
    with Image.open(io.BytesIO(data), formats=("PNG",)) as low:
        low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]
        is_low = _is_colour(low, [level & 0xFF for level in key])
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
