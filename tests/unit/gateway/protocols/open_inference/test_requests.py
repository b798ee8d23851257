"""Requests of the Open Inference Protocol."""

import base64
import json
from typing import Any

import pytest

from gateway.errors import ImageTooLargeError, InvalidRequestError
from gateway.protocols.open_inference.requests import (
    InferenceRequest,
    RequestedOutput,
    read_request,
)

PHOTO = b"a photo"
TEXT = base64.b64encode(PHOTO).decode()
ELEMENT = len(PHOTO).to_bytes(4, "little") + PHOTO
ALL_JSON = (
    RequestedOutput("mask", False),
    RequestedOutput("png", False),
    RequestedOutput("classes", False),
)


def tensor(**changes: Any) -> dict[str, Any]:
    """The input tensor, with the image in base64."""
    return {"name": "image", "datatype": "BYTES", "shape": [1], "data": [TEXT]} | changes


def body(**changes: Any) -> bytes:
    """A request body in JSON."""
    return json.dumps({"inputs": [tensor()]} | changes).encode()


def binary(size: int = len(ELEMENT), **changes: Any) -> bytes:
    """The JSON of a request with the image in binary behind it."""
    image = {"name": "image", "datatype": "BYTES", "shape": [1]}
    return body(inputs=[image | {"parameters": {"binary_data_size": size}}], **changes)


def test_an_image_in_json_is_read() -> None:
    """By default all outputs are requested, in JSON."""
    assert read_request(body(), None, 100) == InferenceRequest(PHOTO, ALL_JSON, None)


def test_an_image_in_binary_is_read() -> None:
    """The image follows the JSON, preceded by its length."""
    header = binary(id="42")
    request = read_request(header + ELEMENT, str(len(header)), 100)
    assert request == InferenceRequest(PHOTO, ALL_JSON, "42")


@pytest.mark.parametrize(
    ("fields", "outputs"),
    [
        ({"outputs": [{"name": "png"}]}, [RequestedOutput("png", False)]),
        (
            {
                "parameters": {"binary_data_output": True},
                "outputs": [
                    {"name": "png"},
                    {"name": "mask", "parameters": {"binary_data": False}},
                ],
            },
            [RequestedOutput("png", True), RequestedOutput("mask", False)],
        ),
        (
            {"outputs": [{"name": "classes", "parameters": {"binary_data": True}}]},
            [RequestedOutput("classes", True)],
        ),
        (
            {"parameters": {"binary_data_output": True}},
            [
                RequestedOutput("mask", True),
                RequestedOutput("png", True),
                RequestedOutput("classes", True),
            ],
        ),
    ],
)
def test_the_requested_outputs_are_read(
    fields: dict[str, Any], outputs: list[RequestedOutput]
) -> None:
    """Outputs keep their order; an output's own parameter overrides the request's."""
    assert read_request(body(**fields), None, 100).outputs == tuple(outputs)


@pytest.mark.parametrize(
    ("sent_body", "detail"),
    [
        (b"{}", "inputs: Field required"),
        (body(inputs=[]), "inputs: List should have at least 1 item"),
        (body(inputs=[tensor()] * 2), "inputs: List should have at most 1 item"),
        (body(inputs=[tensor(name="input_0")]), "The input is 'image'"),
        (body(inputs=[tensor(datatype="UINT8")]), "The input is 'image'"),
        (body(inputs=[tensor(shape=[1, 1])]), "The input is 'image'"),
        (body(inputs=[tensor(shape=[2])]), "The input is 'image'"),
        (body(inputs=[tensor(data=["%"])]), "`data` is not base64"),
        (body(inputs=[tensor(data=[])]), "neither `data`"),
        (body(inputs=[tensor(data=None)]), "neither `data`"),
        (body(inputs=[tensor(data=[[TEXT]])]), "inputs.0.data.0"),
        (body(inputs=[tensor(data=TEXT)]), "inputs.0.data"),
        (body(inputs=[tensor(parameters={"shared_memory_region": "a"})]), "Shared memory"),
        (body(outputs=[{"name": "logits"}]), "no output 'logits'. There are: mask, png, classes"),
        (body(outputs=[{"name": "png"}] * 4), "at most 3 items"),
        (body(outputs=[{"name": "png", "parameters": {"classification": 3}}]), "classification"),
        (body(outputs=[{"name": "png", "parameters": {"shared_memory_region": "a"}}]), "shared"),
        (body(id="a" * 1025), "id: "),
        (binary(), "0 bytes follow the JSON"),
    ],
)
def test_what_is_not_offered_is_refused(sent_body: bytes, detail: str) -> None:
    """Unsupported tensors and parameters are refused with an explanation."""
    with pytest.raises(InvalidRequestError, match=detail):
        read_request(sent_body, None, 100)


@pytest.mark.parametrize("length", ["", "-1", "1.5", "x", "1000", "9" * 5000])
def test_the_length_of_the_json_must_be_one(length: str) -> None:
    """An invalid header with the length of the JSON is refused."""
    with pytest.raises(InvalidRequestError, match="Inference-Header-Content-Length"):
        read_request(body(), length, 100)


@pytest.mark.parametrize(
    ("size", "tail"),
    [
        (11, b""),
        (11, ELEMENT[:-1]),
        (11, ELEMENT + b"!"),
        (10, ELEMENT),
        (-1, ELEMENT),
        (3, b"\0\0\0"),
        (22, ELEMENT * 2),
        (11, b"\xff\xff\xff\xff" + PHOTO),
        (11, b"\0\0\0\0" + PHOTO),
    ],
)
def test_lengths_that_do_not_agree_are_refused(size: int, tail: bytes) -> None:
    """The tensor's size, the element's length and the body must agree."""
    header = binary(size)
    with pytest.raises(InvalidRequestError, match="binary_data_size"):
        read_request(header + tail, str(len(header)), 100)


def test_the_limit_is_of_the_image() -> None:
    """The limit applies to the image, in JSON and in binary."""
    header = binary()
    with pytest.raises(ImageTooLargeError):
        read_request(header + ELEMENT, str(len(header)), len(PHOTO) - 1)
    with pytest.raises(ImageTooLargeError):
        read_request(body(), None, len(PHOTO) - 1)
