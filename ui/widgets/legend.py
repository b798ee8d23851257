"""Says which classes a mask shows: names, colours and shares, as escaped HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ui.client.responses import Label

BACKGROUND = "background"
_PALETTE = "seed"


@dataclass(frozen=True)
class Row:
    """One class in a picture; share is its part of the pixels, 0 to 1."""

    name: str
    colour: str
    share: float


def rows(
    class_pixels: Mapping[int, int], labels: Sequence[Label], mask_colours: Mapping[int, str]
) -> list[Row]:
    """List the classes present, the largest first and the background last.

    Classes that the labels do not know keep their number and the mask's own colour.
    """
    known = {label.id: label for label in labels}
    total = sum(class_pixels.values())
    found = [
        Row(
            name=known[class_id].name if class_id in known else f"class {class_id}",
            colour=colour_of(known.get(class_id), mask_colours.get(class_id, "#808080")),
            share=pixels / total,
        )
        for class_id, pixels in class_pixels.items()
        if pixels
    ]
    return sorted(found, key=lambda row: (row.name == BACKGROUND, -row.share, row.name))


def colour_of(label: Label | None, otherwise: str = "#808080") -> str:
    """Give the colour of a class in the palette of the masks."""
    return label.colours.get(_PALETTE, otherwise) if label else otherwise


def clear_ids(labels: Sequence[Label]) -> frozenset[int]:
    """Give the class ids that an overlay leaves see-through."""
    return frozenset(label.id for label in labels if label.name == BACKGROUND) or frozenset({0})


def percent(share: float) -> str:
    """Put a share into words; a class that is there is never shown as nothing."""
    return "< 0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %")


def rows_html(found: Sequence[Row]) -> str:
    """Render rows with a swatch, a bar and a percentage each."""
    return f'<ul class="legend">{"".join(map(_row_html, found))}</ul>'


def _row_html(row: Row) -> str:
    colour = escape(row.colour, quote=True)
    return (
        f'<li><span class="swatch" style="background:{colour}"></span>'
        f'<span class="name">{escape(row.name)}</span>'
        f'<span class="bar"><span style="width:{row.share:.2%};background:{colour}"></span></span>'
        f'<span class="share">{percent(row.share)}</span></li>'
    )


def vocabulary_html(labels: Sequence[Label]) -> str:
    """Render all classes that a model can find, as a line of chips."""
    chips = (
        f'<li><span class="swatch" style="background:{escape(colour_of(label), quote=True)}">'
        f"</span>{escape(label.name)}</li>"
        for label in labels
        if label.name != BACKGROUND
    )
    return f'<ul class="chips">{"".join(chips)}</ul>'
