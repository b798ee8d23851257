"""Options become the handler's JSON, with the model's own class ids."""

import json

import pytest

from gateway.errors import InvalidRequestError
from gateway.segmentation.options import SegmentationOptions, class_ids, to_handler_json

LABELS = {0: "background", 8: "cat", 15: "person"}


@pytest.mark.parametrize(
    "names", [("person", "cat"), ("PERSON", "Cat"), ("15", "8"), ("15", "cat", "person")]
)
def test_classes_are_known_by_name_and_by_id(names: tuple[str, ...]) -> None:
    """Whatever the case, and however often."""
    assert class_ids(names, LABELS) == {8, 15}


@pytest.mark.parametrize("name", ["dining table", " Dining Table ", "dining table "])
def test_blanks_around_a_name_do_not_matter(name: str) -> None:
    """Those of an archive's labels either: no parameter could say them."""
    assert class_ids((name,), LABELS | {11: " Dining table "}) == {11}


@pytest.mark.parametrize("name", ["unicorn", "-1", "1", "15.0", "x" * 1000])
def test_an_unknown_class_is_refused_with_those_there_are(name: str) -> None:
    """Not silently left out: the answer would look as if there were none in the picture."""
    with pytest.raises(InvalidRequestError, match="background, cat, person") as caught:
        class_ids(("cat", name), LABELS)
    assert len(caught.value.detail) < 200


@pytest.mark.parametrize("render", ["colour", "labels"])
def test_a_plain_options_needs_no_words(render: str) -> None:
    """The request to the model is the same as ever."""
    options = SegmentationOptions(render=render, palette="voc")
    assert not options.needs_labels
    assert to_handler_json(options, {}) is None


@pytest.mark.parametrize(
    ("options", "form"),
    [
        (SegmentationOptions(render="confidence"), {"render": "confidence"}),
        (SegmentationOptions(render="cutout"), {"render": "cutout"}),
        (
            SegmentationOptions(render="cutout", classes=("cat",)),
            {"render": "cutout", "classes": [8]},
        ),
        (SegmentationOptions(classes=("person", "cat")), {"render": "labels", "classes": [8, 15]}),
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
def test_the_handlers_words(options: SegmentationOptions, form: dict[str, object]) -> None:
    """Colours are the gateway's, ids the model's; facts of some classes need the whole mask."""
    text = to_handler_json(options, LABELS)
    assert text is not None
    assert text.isascii()
    assert json.loads(text) == form
