"""Colours for class ids: named palettes, computed and not listed, for any model's classes."""

from typing import Final

Colour = tuple[int, int, int]

SIZE: Final = 256


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


def _table(colours: list[Colour]) -> bytes:
    return bytes(channel for colour in colours for channel in colour)


# A PNG may hold fewer entries, but a pixel beyond the last one would make it invalid: all 256.
SEED: Final = _table([seed_colour(class_id) for class_id in range(SIZE)])
VOC: Final = _table([voc_colour(class_id) for class_id in range(SIZE)])

PALETTES: Final = {"seed": SEED, "voc": VOC}


def hex_colour(palette: str, class_id: int) -> str:
    """The colour of a class in a named palette, as #rrggbb."""
    return "#" + PALETTES[palette][3 * class_id : 3 * class_id + 3].hex()
