"""Requests and responses of Hugging Face's image segmentation."""

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gateway.errors import ImageTooLargeError, InvalidRequestError
from gateway.masks.grey_png import NotAMaskError
from gateway.protocols.hugging_face.messages import Inputs, read_inputs, segments
from tests.unit.gateway.answers import IDS, prediction

PHOTO = base64.b64encode(b"a photo").decode()


def body(**fields: object) -> bytes:
    """A request body with an image."""
    return json.dumps({"inputs": PHOTO} | fields).encode()


@pytest.mark.parametrize(
    ("sent_body", "threshold"),
    [
        (body(), 0.0),
        (body(parameters=None), 0.0),
        (body(parameters={}), 0.0),
        (body(parameters={"threshold": 0.5, "subtask": "semantic"}), 0.5),
        (body(parameters={"mask_threshold": None}), 0.0),
    ],
)
def test_the_image_and_the_threshold_are_read(sent_body: bytes, threshold: float) -> None:
    """Parameters are optional."""
    assert read_inputs(sent_body, 100) == Inputs(b"a photo", threshold)


@pytest.mark.parametrize(
    ("sent_body", "detail"),
    [
        (b"{}", "inputs: Field required"),
        (body(inputs="no base64"), "`inputs` is not base64"),
        (body(inputs="http://elsewhere/a.jpg"), "`inputs` is not base64"),
        (body(parameters={"subtask": "panoptic"}), "tells classes apart"),
        (body(parameters={"subtask": "depth"}), "parameters.subtask"),
        (body(parameters={"mask_threshold": 0.5}), "`mask_threshold` means nothing"),
        (body(parameters={"overlap_mask_area_threshold": 0.5}), "means nothing"),
        (body(parameters={"threshold": 1.5}), "parameters.threshold"),
        (b'{"inputs": "", "parameters": {"threshold": NaN}}', "parameters.threshold"),
    ],
)
def test_what_cannot_be_honoured_is_refused(sent_body: bytes, detail: str) -> None:
    """Unsupported parameters are refused instead of ignored."""
    with pytest.raises(InvalidRequestError, match=detail):
        read_inputs(sent_body, 100)


def test_the_limit_is_of_the_images_own_bytes() -> None:
    """The limit applies to the decoded image."""
    with pytest.raises(ImageTooLargeError):
        read_inputs(body(), 6)


def test_each_class_that_occurs_has_a_mask_of_its_own() -> None:
    """The masks are ascending by id, background included, 255 at the class's pixels."""
    response = json.loads(segments(prediction(), 0.0))
    scores = [(each["label"], each["score"]) for each in response]
    assert scores == [("background", 0.9512), ("cat", 0.4), ("person", 0.8712)]
    for each, class_id in zip(response, (0, 8, 15), strict=True):
        mask = Image.open(io.BytesIO(base64.b64decode(each["mask"])))
        assert mask.mode == "L"
        assert np.array_equal(np.asarray(mask), np.where(class_id == IDS, 255, 0))


@pytest.mark.parametrize(
    ("threshold", "labels"),
    [(0.4, ["background", "cat", "person"]), (0.5, ["background", "person"]), (1.0, [])],
)
def test_classes_below_the_threshold_are_left_out(threshold: float, labels: list[str]) -> None:
    """Classes with a lower mean confidence are omitted."""
    response = json.loads(segments(prediction(), threshold))
    assert [each["label"] for each in response] == labels


def test_a_class_without_a_name_is_called_by_its_id() -> None:
    """A class without a label is named by its id."""
    response = json.loads(segments(prediction(np.full((2, 2), 3, np.uint8), "3=0.5"), 0.0))
    assert [each["label"] for each in response] == ["3"]


def test_a_malformed_mask_is_an_error() -> None:
    """A malformed mask is NotAMaskError."""
    sound = prediction()
    broken = replace(sound, response=replace(sound.response, png=b"no mask"))
    with pytest.raises(NotAMaskError):
        segments(broken, 0.0)
