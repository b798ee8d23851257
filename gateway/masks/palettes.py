"""Colours for class ids: named palettes, computed and not listed, for any model's classes."""

from typing import Final

Colour = tuple[int, int, int]

SIZE: Final = 256

_BLACK: Final = (0, 0, 0)
_WHITE: Final = (255, 255, 255)
# Okabe and Ito's hues beside black: orange, sky blue, bluish green, yellow, blue, vermilion,
# reddish purple.
_HUES: Final = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
# What each hue is mixed with, and the percentage of it: those with which all 22 colours lie
# furthest apart for the three kinds of dichromats.
_STEPS: Final = ((_BLACK, 0), (_BLACK, 55), (_WHITE, 45))


def seed_colour(class_id: int) -> Colour:
    """The colour that the drop-in endpoint has always used for a class, as (red, green, blue)."""
    return (
        class_id * (2**25 - 1) % 255,
        class_id * (2**15 - 1) % 255,
        class_id * (2**21 - 1) % 255,
    )


def voc_colour(class_id: int) -> Colour:
    """The Pascal VOC colour of a class: its bits, three at a time, become high bits of r, g, b."""
    red = green = blue = 0
    for bit in range(8):
        triple = class_id >> (3 * bit)
        red |= (triple & 1) << (7 - bit)
        green |= (triple >> 1 & 1) << (7 - bit)
        blue |= (triple >> 2 & 1) << (7 - bit)
    return red, green, blue


def safe_colour(class_id: int) -> Colour:
    """A colour that colour-blind people tell from the others: black, then 21 that come again."""
    if class_id == 0:
        return _BLACK
    step, hue = divmod(class_id - 1, len(_HUES))
    other, percent = _STEPS[step % len(_STEPS)]
    red, green, blue = (
        (own * (100 - percent) + mixed * percent + 50) // 100
        for own, mixed in zip(_HUES[hue], other, strict=True)
    )
    return red, green, blue


def _table(colours: list[Colour]) -> bytes:
    return bytes(channel for colour in colours for channel in colour)


# A PNG may hold fewer entries, but a pixel beyond the last one would make it invalid: all 256.
SEED: Final = _table([seed_colour(class_id) for class_id in range(SIZE)])
VOC: Final = _table([voc_colour(class_id) for class_id in range(SIZE)])
SAFE: Final = _table([safe_colour(class_id) for class_id in range(SIZE)])

PALETTES: Final = {"seed": SEED, "voc": VOC, "safe": SAFE}


def hex_colour(palette: str, class_id: int) -> str:
    """The colour of a class in a named palette, as #rrggbb."""
    return "#" + PALETTES[palette][3 * class_id : 3 * class_id + 3].hex()
