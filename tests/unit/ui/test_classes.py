"""The classes present in a mask, in order of size, with names and colours."""

from ui.classes import ClassShare, class_shares, see_through_ids
from ui.client.responses import Label

LABELS = (
    Label(0, "background", {"seed": "#000000"}),
    Label(8, "cat", {"seed": "#080808"}),
    Label(15, "person", {"seed": "#0f78d2"}),
)


def test_rows_are_ordered_by_share_with_the_background_last() -> None:
    """The largest class comes first, however large the background is."""
    rows = class_shares({0: 80, 8: 5, 15: 15}, LABELS, {})
    assert rows == [
        ClassShare("person", "#0f78d2", 0.15),
        ClassShare("cat", "#080808", 0.05),
        ClassShare("background", "#000000", 0.80),
    ]


def test_a_class_without_a_label_keeps_its_number_and_the_mask_colour() -> None:
    """Labels that could not be fetched cost the names only."""
    assert class_shares({3: 10}, (), {3: "#030303"}) == [ClassShare("class 3", "#030303", 1.0)]


def test_classes_without_pixels_are_left_out() -> None:
    """A count of zero is no presence."""
    assert class_shares({0: 4, 8: 0}, LABELS, {}) == [ClassShare("background", "#000000", 1.0)]


def test_no_pixels_at_all_is_an_empty_legend() -> None:
    """Nothing is divided by zero."""
    assert class_shares({}, LABELS, {}) == []


def test_the_background_is_see_through_by_its_name() -> None:
    """Models may number their classes as they like; without the name it is id 0."""
    assert see_through_ids((Label(7, "background", {}),)) == {7}
    assert see_through_ids(()) == {0}
