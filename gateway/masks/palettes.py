"""Palettes: named tables of 256 colours, computed from class ids."""

from collections.abc import Callable
from dataclasses import dataclass
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
# The colour that each hue is mixed with, and its percentage: chosen so that all 22 colours lie
# furthest apart for the three kinds of dichromats.
_STEPS: Final = ((_BLACK, 0), (_BLACK, 55), (_WHITE, 45))


def seed_colour(class_id: int) -> Colour:
    """Return the drop-in endpoint's colour of a class, as (red, green, blue)."""
    return (
        class_id * (2**25 - 1) % 255,
        class_id * (2**15 - 1) % 255,
        class_id * (2**21 - 1) % 255,
    )


def voc_colour(class_id: int) -> Colour:
    """Return Pascal VOC's colour of a class: bits, three at a time, become high bits of r, g, b."""
    red = green = blue = 0
    for bit in range(8):
        triple = class_id >> (3 * bit)
        red |= (triple & 1) << (7 - bit)
        green |= (triple >> 1 & 1) << (7 - bit)
        blue |= (triple >> 2 & 1) << (7 - bit)
    return red, green, blue


def safe_colour(class_id: int) -> Colour:
    """Return a colour that dichromats can distinguish: black for 0, then a cycle of 21."""
    if class_id == 0:
        return _BLACK
    step, hue = divmod(class_id - 1, len(_HUES))
    other, percent = _STEPS[step % len(_STEPS)]
    red, green, blue = (
        (own * (100 - percent) + mixed * percent + 50) // 100
        for own, mixed in zip(_HUES[hue], other, strict=True)
    )
    return red, green, blue


@dataclass(frozen=True)
class Palette:
    """A named palette.

    table: 256 colours of 3 bytes (red, green, blue). A PNG may have fewer, but a pixel beyond the
        last entry would make it invalid.
    description: a sentence for the API's documentation.
    """

    table: bytes
    description: str

    def hex_colour(self, class_id: int) -> str:
        """Return the colour of a class as #rrggbb."""
        return "#" + self.table[3 * class_id : 3 * class_id + 3].hex()


def _palette(colour_of: Callable[[int], Colour], description: str) -> Palette:
    colours = [colour_of(class_id) for class_id in range(SIZE)]
    return Palette(bytes(channel for colour in colours for channel in colour), description)


PALETTES: Final = {
    "seed": _palette(seed_colour, "The palette of /segmentation."),
    "voc": _palette(voc_colour, "The palette of Pascal VOC."),
    "safe": _palette(safe_colour, "A palette for the colour-blind too."),
}
DROP_IN: Final = PALETTES["seed"]
