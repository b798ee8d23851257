"""Image segmentation in Hugging Face's words."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from gateway.errors import ImageTooLargeError, InvalidRequestError
from gateway.masks.grey_png import NotAMaskError
from gateway.protocols.hugging_face.messages import Inputs, read_inputs, segments
from tests.unit.gateway.answers import IDS, prediction

PHOTO = base64.b64encode(b"a photo").decode()


def body(**fields: object) -> bytes:
    """A request with an image."""
    return json.dumps({"inputs": PHOTO} | fields).encode()


@pytest.mark.parametrize(
    ("sent", "threshold"),
    [
        (body(), 0.0),
        (body(parameters=None), 0.0),
        (body(parameters={}), 0.0),
        (body(parameters={"threshold": 0.5, "subtask": "semantic"}), 0.5),
        (body(parameters={"mask_threshold": None}), 0.0),
    ],
)
def test_the_image_and_the_threshold_are_read(sent: bytes, threshold: float) -> None:
    """Parameters may be absent."""
    assert read_inputs(sent, 100) == Inputs(b"a photo", threshold)


@pytest.mark.parametrize(
    ("sent", "detail"),
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
def test_what_cannot_be_honoured_is_refused(sent: bytes, detail: str) -> None:
    """Rather than an answer that was not asked for."""
    with pytest.raises(InvalidRequestError, match=detail):
        read_inputs(sent, 100)


def test_the_limit_is_of_the_images_own_bytes() -> None:
    """Base64 is no way around it."""
    with pytest.raises(ImageTooLargeError):
        read_inputs(body(), 6)


def test_each_class_that_occurs_has_a_mask_of_its_own() -> None:
    """Ascending by id, background included, 255 at the class's pixels."""
    answer = json.loads(segments(prediction(), 0.0))
    told = [(each["label"], each["score"]) for each in answer]
    assert told == [("background", 0.9512), ("cat", 0.4), ("person", 0.8712)]
    for each, class_id in zip(answer, (0, 8, 15), strict=True):
        mask = Image.open(io.BytesIO(base64.b64decode(each["mask"])))
        assert mask.mode == "L"
        assert np.array_equal(np.asarray(mask), np.where(class_id == IDS, 255, 0))


@pytest.mark.parametrize(
    ("threshold", "labels"),
    [(0.4, ["background", "cat", "person"]), (0.5, ["background", "person"]), (1.0, [])],
)
def test_classes_below_the_threshold_are_left_out(threshold: float, labels: list[str]) -> None:
    """Whose mean confidence is lower."""
    answer = json.loads(segments(prediction(), threshold))
    assert [each["label"] for each in answer] == labels


def test_a_class_without_a_name_is_called_by_its_id() -> None:
    """A model's labels may have gaps."""
    answer = json.loads(segments(prediction(np.full((2, 2), 3, np.uint8), "3=0.5"), 0.0))
    assert [each["label"] for each in answer] == ["3"]


def test_an_answer_that_is_no_mask_is_noticed() -> None:
    """Whoever calls knows whose fault it is."""
    broken = prediction()
    object.__setattr__(broken.response, "png", b"no mask")
    with pytest.raises(NotAMaskError):
        segments(broken, 0.0)
