"""The table of output forms of a result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.masks.colour_map import colour_map
from gateway.masks.grey_png import SIGNATURE, NotAMaskError

# The handler's PNG and a palette of 256 colours (3 bytes each) -> the PNG of the response.
Draw = Callable[[bytes, bytes], bytes]


def as_sent(png: bytes, _palette: bytes) -> bytes:
    """Return the handler's PNG unchanged; raises NotAMaskError for anything but a PNG."""
    if not png.startswith(SIGNATURE):
        raise NotAMaskError("not a PNG")
    return png


@dataclass(frozen=True)
class Render:
    """One output form.

    description: completes "`name`, ..." in the API's documentation.
    drawn_by_handler: whether the handler draws it from the image; otherwise the gateway draws it
        from the mask of class ids.
    draw: convert the handler's PNG to the response; raises NotAMaskError.
    takes_colours: whether the handler needs an opacity and a colour for each class.
    cost: how often drawing processes all pixels of the mask; 0 for work on the header.
    """

    description: str
    drawn_by_handler: bool = False
    draw: Draw = as_sent
    takes_colours: bool = False
    cost: int = 0


RENDERS: Final = {
    "colour": Render("an indexed colour map", draw=colour_map),
    "labels": Render("grey class ids"),
    "overlay": Render("the photograph tinted", drawn_by_handler=True, takes_colours=True),
    "cutout": Render("the photograph's objects on transparent ground", drawn_by_handler=True),
    "confidence": Render("grey from black (a guess) to white (certain)", drawn_by_handler=True),
}
