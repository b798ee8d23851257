"""Options and their conversion to the handler's JSON."""

import json

import pytest

from gateway.errors import InvalidRequestError
from gateway.segmentation.options import SegmentationOptions, class_ids, to_handler_json

LABELS = {0: "background", 8: "cat", 15: "person"}


@pytest.mark.parametrize(
    "names", [("person", "cat"), ("PERSON", "Cat"), ("15", "8"), ("15", "cat", "person")]
)
def test_classes_are_known_by_name_and_by_id(names: tuple[str, ...]) -> None:
    """A class is given by name, in any case, or by id, and may be repeated."""
    assert class_ids(names, LABELS) == {8, 15}


@pytest.mark.parametrize("name", ["dining table", " Dining Table ", "dining table "])
def test_blanks_around_a_name_do_not_matter(name: str) -> None:
    """Blanks around names are ignored, in parameters and in an archive's labels."""
    assert class_ids((name,), LABELS | {11: " Dining table "}) == {11}


@pytest.mark.parametrize("name", ["unicorn", "-1", "1", "15.0", "x" * 1000])
def test_an_unknown_class_is_refused_with_those_there_are(name: str) -> None:
    """The error lists the known classes; ignoring the name would look like an absent class."""
    with pytest.raises(InvalidRequestError, match="background, cat, person") as error:
        class_ids(("cat", name), LABELS)
    assert len(error.value.detail) < 200


@pytest.mark.parametrize("render", ["colour", "labels"])
def test_default_options_need_no_json(render: str) -> None:
    """The handler's default output needs no JSON and no labels."""
    options = SegmentationOptions(render=render, palette="voc")
    assert not options.needs_labels
    assert to_handler_json(options, {}) is None


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (SegmentationOptions(render="confidence"), {"render": "confidence"}),
        (SegmentationOptions(render="cutout"), {"render": "cutout"}),
        (
            SegmentationOptions(render="cutout", classes=("cat",)),
            {"render": "cutout", "classes": [8]},
        ),
        (SegmentationOptions(classes=("person", "cat")), {"render": "labels", "classes": [8, 15]}),
        (SegmentationOptions(tile="auto"), {"render": "labels", "tile": "auto"}),
        (
            SegmentationOptions(tile="off", facts=True),
            {"render": "labels", "confidence": True, "tile": "off"},
        ),
        (SegmentationOptions(tile="900", render="cutout"), {"render": "cutout", "tile": 900}),
        (SegmentationOptions(facts=True), {"render": "labels", "confidence": True}),
        (
            SegmentationOptions(facts=True, classes=("cat",)),
            {"render": "labels", "confidence": True},
        ),
        (
            SegmentationOptions(render="overlay", opacity=0.25),
            {
                "render": "overlay",
                "opacity": 0.25,
                "colours": {"8": "08fbf8", "15": "0f78d2"},
            },
        ),
        (
            SegmentationOptions(render="overlay", classes=("background",), palette="voc"),
            {"render": "overlay", "classes": [0], "opacity": 0.5, "colours": {"0": "000000"}},
        ),
    ],
)
def test_options_become_the_handlers_json(
    options: SegmentationOptions, fields: dict[str, object]
) -> None:
    """Colours come from the gateway, ids from the model; facts need the complete mask."""
    text = to_handler_json(options, LABELS)
    assert text is not None
    assert text.isascii()
    assert json.loads(text) == fields
