"""Responses of the Open Inference Protocol."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from gateway.errors import TooManyPixelsError
from gateway.protocols.open_inference import responses
from gateway.protocols.open_inference.requests import InferenceRequest, RequestedOutput
from gateway.protocols.open_inference.responses import MAX_JSON_PIXELS, encode_response
from tests.unit.gateway.answers import IDS, prediction

CLASSES = [
    {"id": 0, "name": "background", "pixels": 6, "mean_confidence": 0.9512},
    {"id": 8, "name": "cat", "pixels": 3, "mean_confidence": 0.4},
    {"id": 15, "name": "person", "pixels": 3, "mean_confidence": 0.8712},
]


def requested(*outputs: RequestedOutput, identity: str | None = None) -> InferenceRequest:
    """A request for these tensors."""
    return InferenceRequest(b"", outputs, identity)


def test_tensors_in_json_are_lists() -> None:
    """The mask is listed row by row, bytes are base64, and JSON is a string."""
    encoded = encode_response(
        prediction(),
        requested(*(RequestedOutput(name, False) for name in ("mask", "png", "classes"))),
    )
    fields: dict[str, Any] = json.loads(encoded.body)
    mask, png, classes = fields.pop("outputs")
    assert encoded.header_length is None
    assert fields == {"model_name": "deeplabv3", "model_version": "1.0"}
    assert mask == {
        "name": "mask",
        "datatype": "UINT8",
        "shape": [3, 4],
        "data": IDS.ravel().tolist(),
    }
    assert (png["datatype"], png["shape"]) == ("BYTES", [1])
    assert base64.b64decode(png["data"][0]) == prediction().response.png
    assert json.loads(classes["data"][0]) == CLASSES


def test_tensors_in_binary_follow_the_json() -> None:
    """Binary tensors are in the requested order, bytes preceded by their length."""
    encoded = encode_response(
        prediction(), requested(RequestedOutput("classes", True), RequestedOutput("mask", True))
    )
    assert encoded.header_length is not None
    header, rest = encoded.body[: encoded.header_length], encoded.body[encoded.header_length :]
    classes, mask = json.loads(header)["outputs"]
    sizes = [each["parameters"]["binary_data_size"] for each in (classes, mask)]
    assert len(rest) == sum(sizes)
    assert int.from_bytes(rest[:4], "little") == sizes[0] - 4
    assert json.loads(rest[4 : sizes[0]]) == CLASSES
    assert rest[sizes[0] :] == IDS.tobytes()
    assert "data" not in classes


def test_json_and_binary_may_be_mixed() -> None:
    """Only binary tensors are behind the JSON."""
    encoded = encode_response(
        prediction(), requested(RequestedOutput("mask", False), RequestedOutput("mask", True))
    )
    first, second = json.loads(encoded.body[: encoded.header_length])["outputs"]
    assert "parameters" not in first
    assert second["parameters"] == {"binary_data_size": 12}
    assert encoded.body[encoded.header_length :] == IDS.tobytes()


@pytest.mark.parametrize("identity", ["", "42", 'ä"\\'])
def test_the_clients_id_comes_back(identity: str) -> None:
    """Any id is returned unchanged."""
    encoded = encode_response(
        prediction(), requested(RequestedOutput("png", False), identity=identity)
    )
    assert json.loads(encoded.body)["id"] == identity


def test_every_class_id_has_its_number() -> None:
    """Class ids of one to three digits are written correctly."""
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    encoded = encode_response(prediction(ids), requested(RequestedOutput("mask", False)))
    assert json.loads(encoded.body)["outputs"][0]["data"] == list(range(256))


def test_a_mask_that_is_too_large_for_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a mask in JSON is limited; in binary it is not."""
    assert MAX_JSON_PIXELS == 4_000_000
    monkeypatch.setattr(responses, "MAX_JSON_PIXELS", IDS.size - 1)
    with pytest.raises(TooManyPixelsError, match="`mask` with `binary_data`"):
        encode_response(prediction(), requested(RequestedOutput("mask", False)))
    assert encode_response(
        prediction(), requested(RequestedOutput("mask", True), RequestedOutput("png", False))
    ).header_length
