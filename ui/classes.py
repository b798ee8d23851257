"""The classes in a mask: their names, colours and shares of the pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ui.client.responses import Label

BACKGROUND = "background"
# The palette of the masks that the page requests, and so of its legend.
PALETTE = "seed"
_UNKNOWN_COLOUR = "#808080"


@dataclass(frozen=True)
class ClassShare:
    """One class in an image; colour is '#rrggbb', share its part of the pixels, 0 to 1."""

    name: str
    colour: str
    share: float


def class_shares(
    class_pixels: Mapping[int, int], labels: Sequence[Label], mask_colours: Mapping[int, str]
) -> list[ClassShare]:
    """List the classes present, the largest first and the background last.

    A class without a label is named by its id and has the mask's own colour.
    """
    known = {label.id: label for label in labels}
    total = sum(class_pixels.values())
    present = [
        ClassShare(
            name=known[class_id].name if class_id in known else f"class {class_id}",
            colour=colour_of(known.get(class_id), mask_colours.get(class_id, _UNKNOWN_COLOUR)),
            share=pixels / total,
        )
        for class_id, pixels in class_pixels.items()
        if pixels
    ]
    return sorted(present, key=lambda each: (each.name == BACKGROUND, -each.share, each.name))


def colour_of(label: Label | None, default: str = _UNKNOWN_COLOUR) -> str:
    """Look up the colour of a class in the masks' palette."""
    return label.colours.get(PALETTE, default) if label else default


def see_through_ids(labels: Sequence[Label]) -> frozenset[int]:
    """List the class ids that an overlay leaves without colour: the background's, or 0."""
    return frozenset(label.id for label in labels if label.name == BACKGROUND) or frozenset({0})
