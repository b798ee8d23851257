"""The legend of a mask and the list of a model's classes, as HTML."""

from collections.abc import Sequence
from html import escape

from ui.classes import BACKGROUND, ClassShare, colour_of
from ui.client.responses import Label


def legend_html(classes: Sequence[ClassShare]) -> str:
    """Render classes with a swatch, a bar and a percentage each."""
    return f'<ul class="legend">{"".join(map(_row_html, classes))}</ul>'


def _row_html(row: ClassShare) -> str:
    colour = escape(row.colour, quote=True)
    return (
        f'<li><span class="swatch" style="background:{colour}"></span>'
        f'<span class="name">{escape(row.name)}</span>'
        f'<span class="bar"><span style="width:{row.share:.2%};background:{colour}"></span></span>'
        f'<span class="share">{percent(row.share)}</span></li>'
    )


def percent(share: float) -> str:
    """Format a share, 0 to 1; a class that is present never reads 0.0 %."""
    return "< 0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %")


def vocabulary_html(labels: Sequence[Label]) -> str:
    """Render all classes of a model except the background as a line of chips."""
    chips = (
        f'<li><span class="swatch" style="background:{escape(colour_of(label), quote=True)}">'
        f"</span>{escape(label.name)}</li>"
        for label in labels
        if label.name != BACKGROUND
    )
    return f'<ul class="chips">{"".join(chips)}</ul>'
