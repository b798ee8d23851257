"""Label Studio's tasks and predictions."""

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from label_studio_sdk.converter.brush import decode_rle
from label_studio_sdk.label_interface.interface import LabelInterface

from gateway.errors import GatewayError, ImageTooLargeError, InvalidRequestError
from gateway.protocols.label_studio.addresses import origin_of
from gateway.protocols.label_studio.label_config import read_label_config
from gateway.protocols.label_studio.messages import (
    MAX_TASKS,
    ImagePath,
    LabelStudioPredictions,
    check_project,
    document,
    failed_prediction,
    read_tasks,
    to_label_studio,
    version_name,
)
from gateway.torchserve.inference import Target
from tests.unit.gateway.answers import IDS, LABELS, prediction
from tests.unit.gateway.protocols.label_studio.tasks import XML, uri

CONFIG = read_label_config(XML)
TEXT = base64.b64encode(b"a photo").decode()
URI = uri(b"a photo")


def body(*images: object, **changes: object) -> bytes:
    """A request body with a task for each image."""
    tasks = [{"id": number, "data": {"photo": image}} for number, image in enumerate(images)]
    return json.dumps({"tasks": tasks, "label_config": XML} | changes).encode()


@pytest.mark.parametrize(
    "uri",
    [URI, f"DATA:;BASE64,{TEXT}", f"data:image/svg+xml;charset=utf-8;base64,{TEXT}"],
)
def test_images_are_taken_from_data_uris(uri: str) -> None:
    """A data URI's media type is ignored."""
    tasks = read_tasks(body(uri, uri), 100)
    assert (tasks.config, tasks.images) == (CONFIG, [b"a photo"] * 2)


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ("http://127.0.0.1:8080/models", "invalid_request"),
        ("/data/upload/1/a.jpg", "invalid_request"),
        ("data:text/plain,abc", "invalid_request"),
        (f"data:image/png;base64,{TEXT}!", "invalid_request"),
        (f"data:{'a' * 1000};base64,{TEXT}", "invalid_request"),
        ("data:image/png;base64,", "unreadable_image"),
        (None, "invalid_request"),
        ([URI], "invalid_request"),
        (f"data:image/png;base64,{base64.b64encode(bytes(8)).decode()}", "image_too_large"),
    ],
)
def test_a_bad_image_is_its_own_tasks_fault(image: object, code: str) -> None:
    """Other tasks keep their images; without a server nothing is ever fetched."""
    first, bad, last = read_tasks(body(URI, image, URI), 7).images
    assert (first, last) == (b"a photo", b"a photo")
    assert isinstance(bad, GatewayError)
    assert bad.code == code


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("/data/upload/1/a.jpg", "/data/upload/1/a.jpg"),
        ("http://studio.test/data/upload/1/a.jpg", "/data/upload/1/a.jpg"),
        (URI, b"a photo"),
        ("http://other.test/data/upload/1/a.jpg", "invalid_request"),
        ("data:text/plain,abc", "invalid_request"),
        (None, "invalid_request"),
    ],
)
def test_with_a_server_its_files_are_images_too(image: object, expected: object) -> None:
    """Data URIs are taken as before, and are never addresses."""
    (read,) = read_tasks(body(image), 100, origin_of("http://studio.test")).images
    shown = {ImagePath: "path", InvalidRequestError: "code"}.get(type(read))
    assert (getattr(read, shown) if shown else read) == expected


def test_without_a_server_the_setting_is_named() -> None:
    """The reason of a task names what to set."""
    (bad,) = read_tasks(body("/data/upload/1/a.jpg"), 100).images
    assert isinstance(bad, InvalidRequestError)
    assert "SEGSERVE_GATEWAY_LABEL_STUDIO_URL" in bad.detail


def test_a_task_without_the_field_says_so() -> None:
    """The error names the missing field."""
    sent_body = json.dumps({"tasks": [{"data": {"image": URI}}], "label_config": XML}).encode()
    (bad,) = read_tasks(sent_body, 100).images
    assert isinstance(bad, InvalidRequestError)
    assert "no image at 'photo'" in bad.detail


def test_the_number_of_tasks_is_bounded() -> None:
    """A request may have 1000 tasks."""
    assert len(read_tasks(body(*[URI] * MAX_TASKS), 100).images) == 1000
    with pytest.raises(InvalidRequestError, match="tasks: List should have at most 1000 items"):
        read_tasks(body(*[URI] * (MAX_TASKS + 1)), 100)


@pytest.mark.parametrize(
    ("sent_body", "detail"),
    [
        (b"{}", "tasks: Field required; label_config: Field required"),
        (b"[]", "should be an object"),
        (body(label_config="<View/>"), "lacks what is marked"),
        (body(tasks=[{}]), "tasks.0.data"),
        (body(tasks=[{"data": []}]), "tasks.0.data"),
    ],
)
def test_what_is_wrong_as_a_whole_is_refused(sent_body: bytes, detail: str) -> None:
    """An error that does not belong to one task fails the request."""
    with pytest.raises(InvalidRequestError, match=detail):
        read_tasks(sent_body, 100)


@pytest.mark.parametrize("fields", [{}, {"schema": ""}, {"schema": None}, {"schema": XML}])
def test_a_project_may_have_no_configuration_yet(fields: dict[str, object]) -> None:
    """A project without a configuration is accepted; its other fields are ignored."""
    check_project(json.dumps(fields | {"project": "1.17", "access_token": "secret"}).encode())


def test_a_project_without_brushes_is_refused() -> None:
    """A configuration without brushes is refused when the project is connected."""
    with pytest.raises(InvalidRequestError, match="BrushLabels"):
        check_project(b'{"schema": "<View/>"}')


def test_a_prediction_is_what_label_studio_takes() -> None:
    """Label Studio's library validates a prediction and decodes each class's pixels."""
    predicted = to_label_studio(prediction(), CONFIG).model_dump()
    sdk: Any = LabelInterface(XML)
    assert sdk.validate_prediction(predicted, return_errors=True) == []
    strokes = {each["value"]["brushlabels"][0]: each for each in predicted["result"]}
    for label, class_id in (("Pet", 8), ("Person", 15)):
        pixels = decode_rle(strokes[label]["value"]["rle"]).reshape(3, 4, 4)[:, :, 3]
        assert np.array_equal(pixels, np.where(class_id == IDS, 255, 0))
        sizes = strokes[label]["original_width"], strokes[label]["original_height"]
        assert sizes == (4, 3)


def test_only_labels_of_the_configuration_are_returned() -> None:
    """Classes without a label have no region; scores are the model's confidences."""
    predicted = to_label_studio(prediction(), CONFIG)
    regions = [(each.id, each.value.brushlabels, each.score) for each in predicted.result]
    assert regions == [("class-8", ["Pet"], 0.4), ("class-15", ["Person"], 0.8712)]
    assert (predicted.score, predicted.model_version, predicted.error) == (
        0.9312,
        "deeplabv3:1.0",
        None,
    )


def test_a_class_without_a_pixel_has_no_region() -> None:
    """A class that the network sees, but that has no pixel in the image, has no region."""
    predicted = to_label_studio(prediction(np.where(IDS == 8, 0, IDS).astype(np.uint8)), CONFIG)
    assert [each.id for each in predicted.result] == ["class-15"]


def test_a_class_without_a_confidence_has_a_region_all_the_same() -> None:
    """The mask decides which classes have a region."""
    predicted = to_label_studio(prediction(confidences="0=0.9512,15=0.8712"), CONFIG)
    assert [(each.id, each.score) for each in predicted.result] == [
        ("class-8", 0.0),
        ("class-15", 0.8712),
    ]


def test_blanks_around_a_classs_name_do_not_matter() -> None:
    """Blanks and case of a class's name are ignored."""
    predicted = to_label_studio(replace(prediction(), labels=LABELS | {8: " Cat "}), CONFIG)
    assert [each.value.brushlabels for each in predicted.result] == [["Pet"], ["Person"]]


def test_background_is_returned_if_it_has_a_label() -> None:
    """Background is a class like any other."""
    config = read_label_config(XML.replace("Tree", "Background"))
    labels = [each.value.brushlabels for each in to_label_studio(prediction(), config).result]
    assert labels == [["Background"], ["Pet"], ["Person"]]


def test_a_failed_prediction_has_its_error() -> None:
    """A task without a usable image has an empty prediction with the error."""
    predicted = failed_prediction(ImageTooLargeError("Too large."), version_name(Target("a", "1")))
    expected: dict[str, Any] = {
        "result": [],
        "score": None,
        "model_version": "a:1",
        "error": "Too large.",
    }
    assert predicted.model_dump() == expected


def test_a_document_is_made_of_predictions_in_json() -> None:
    """The document equals one that is serialised at once, in the order of the tasks."""
    whole = LabelStudioPredictions(
        results=[
            to_label_studio(prediction(), CONFIG),
            failed_prediction(ImageTooLargeError("Too large."), 'a "model":1'),
        ],
        model_version='a "model":1',
    )
    results = [each.model_dump_json().encode() for each in whole.results]
    assert document(results, whole.model_version) == whole.model_dump_json().encode()
    assert document([], "a:1") == b'{"results":[],"model_version":"a:1"}'
