"""The legend says what is in the picture, in order of size, and trusts no name."""

import pytest

from ui.client.responses import Label
from ui.widgets import legend
from ui.widgets.legend import Row

LABELS = (
    Label(0, "background", {"seed": "#000000"}),
    Label(8, "cat", {"seed": "#080808"}),
    Label(15, "person", {"seed": "#0f78d2"}),
)


def test_rows_are_ordered_by_share_with_the_background_last() -> None:
    """The largest class comes first, however large the background is."""
    rows = legend.rows({0: 80, 8: 5, 15: 15}, LABELS, {})
    assert rows == [
        Row("person", "#0f78d2", 0.15),
        Row("cat", "#080808", 0.05),
        Row("background", "#000000", 0.80),
    ]


def test_a_class_without_a_label_keeps_its_number_and_the_mask_colour() -> None:
    """Labels that could not be fetched cost the names only."""
    assert legend.rows({3: 10}, (), {3: "#030303"}) == [Row("class 3", "#030303", 1.0)]


def test_classes_without_pixels_are_left_out() -> None:
    """A count of zero is no presence."""
    assert legend.rows({0: 4, 8: 0}, LABELS, {}) == [Row("background", "#000000", 1.0)]


def test_no_pixels_at_all_is_an_empty_legend() -> None:
    """Nothing is divided by zero."""
    assert legend.rows({}, LABELS, {}) == []


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, "0.0 %"), (0.0004, "< 0.1 %"), (0.256, "25.6 %"), (1.0, "100.0 %")],
)
def test_shares_are_percentages(share: float, expected: str) -> None:
    """A class that is there is never shown as nothing."""
    assert expected == legend.percent(share)


def test_the_background_is_see_through_by_its_name() -> None:
    """Models may number their classes as they like; without the name, id 0 is taken."""
    assert legend.clear_ids((Label(7, "background", {}),)) == {7}
    assert legend.clear_ids(()) == {0}


def test_html_shows_name_share_and_colour() -> None:
    """A row carries all three."""
    html = legend.rows_html([Row("person", "#0f78d2", 0.256)])
    assert ">person<" in html
    assert "25.6 %" in html
    assert "background:#0f78d2" in html


def test_names_from_outside_are_escaped() -> None:
    """A label cannot put markup on the page."""
    evil = '<img src=x onerror="alert(1)">'
    label = Label(1, evil, {"seed": '"><script>'})
    html = legend.rows_html(legend.rows({1: 1}, (label,), {})) + legend.vocabulary_html((label,))
    assert "<img" not in html
    assert "<script>" not in html


def test_the_vocabulary_leaves_the_background_out() -> None:
    """A person looks for cats and persons, not for background."""
    html = legend.vocabulary_html(LABELS)
    assert "cat" in html
    assert "person" in html
    assert "</span>background" not in html
