"""The legend shows names, shares and colours, and escapes them."""

import pytest

from ui.classes import ClassShare, class_shares
from ui.client.responses import Label
from ui.widgets import legend

LABELS = (
    Label(0, "background", {"seed": "#000000"}),
    Label(8, "cat", {"seed": "#080808"}),
    Label(15, "person", {"seed": "#0f78d2"}),
)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, "0.0 %"), (0.0004, "< 0.1 %"), (0.256, "25.6 %"), (1.0, "100.0 %")],
)
def test_shares_are_percentages(share: float, expected: str) -> None:
    """A class that is there is never shown as nothing."""
    assert expected == legend.percent(share)


def test_html_shows_name_share_and_colour() -> None:
    """A row carries all three."""
    html = legend.legend_html([ClassShare("person", "#0f78d2", 0.256)])
    assert ">person<" in html
    assert "25.6 %" in html
    assert "background:#0f78d2" in html


def test_names_from_outside_are_escaped() -> None:
    """A label cannot put markup on the page."""
    evil = '<img src=x onerror="alert(1)">'
    label = Label(1, evil, {"seed": '"><script>'})
    html = legend.legend_html(class_shares({1: 1}, (label,), {})) + legend.vocabulary_html((label,))
    assert "<img" not in html
    assert "<script>" not in html


def test_the_vocabulary_leaves_the_background_out() -> None:
    """Visitors look for cats and persons, not for background."""
    html = legend.vocabulary_html(LABELS)
    assert "cat" in html
    assert "person" in html
    assert "</span>background" not in html
