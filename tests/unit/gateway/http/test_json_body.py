"""JSON request bodies: bounded and validated."""

import base64

import pytest
from pydantic import BaseModel, Field

from gateway.admission.upload_budget import UploadBudget
from gateway.errors import ImageTooLargeError, InvalidRequestError
from gateway.http.json_body import MAX_VALUES, decode_base64, is_object, narrowed, parse


class Shape(BaseModel):
    """A model to parse."""

    name: str
    sizes: list[int] = Field(default=[], max_length=4)


def test_an_object_of_the_shape_is_parsed() -> None:
    """A valid object is parsed; unknown members are ignored."""
    assert parse(b' {"name": "a", "sizes": [1], "more": {}}', Shape) == Shape(name="a", sizes=[1])


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "EOF"),
        (b'{"name": "a", "sizes": [false]}', "sizes.0: Input should be a valid integer"),
        (b'{"name": "a", "sizes": ["1"]}', "sizes.0: Input should be a valid integer"),
        (b"\xff", "expected value"),
        (b"{", "EOF"),
        (b"[]", "should be an object"),
        (b"{}", "name: Field required"),
        (b'{"name": 1}', "name: Input should be a valid string"),
        (b'{"name": "\\ud800"}', "hex escape"),
        (b'{"name": "a", "sizes": [' + b"9" * 10_000 + b"]}", "number out of range"),
        (b'{"name": "a", "sizes": [' + b"x," * 5 + b"x]}", "expected value"),
        (b'{"name": "a", "sizes": ["", "", "", "", ""]}', "at most 4 items"),
        (b"[" * 100_000, "recursion limit"),
        (b'{"a":' * 100_000, "recursion limit"),
    ],
)
def test_anything_else_is_refused_with_an_explanation(body: bytes, fault: str) -> None:
    """Every invalid body is an InvalidRequestError with a reason, never a library's exception."""
    with pytest.raises(InvalidRequestError, match=fault):
        parse(body, Shape)


def test_a_body_of_very_many_values_is_not_parsed() -> None:
    """The number of values is bounded: three characters of JSON may take a hundred bytes."""
    body = b'{"name": "a", "more": [' + b"[]," * MAX_VALUES + b"1]}"
    with pytest.raises(InvalidRequestError, match="values"):
        parse(body, Shape)


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    """The message does not quote the input, and its length is bounded."""
    values = ", ".join(f'"{"secret" * 1000}"' for _ in range(4))
    with pytest.raises(InvalidRequestError) as error:
        parse(f'{{"name": 1, "sizes": [{values}]}}'.encode(), Shape)
    assert "secret" not in error.value.detail
    assert len(error.value.detail) < 400


def test_the_document_may_say_less_than_is_parsed() -> None:
    """A schema may document less than is parsed."""

    class Wide(BaseModel):
        task: str | None = Field(
            default=None, description="A task.", json_schema_extra=narrowed(type="null")
        )

    assert Wide.model_json_schema()["properties"]["task"] == {
        "title": "Task",
        "description": "A task.",
        "type": "null",
    }


def test_base64_is_decoded() -> None:
    """Base64 with padding is decoded."""
    assert decode_base64(base64.b64encode(b"a photo").decode(), "`inputs`", 7) == b"a photo"


@pytest.mark.parametrize("text", ["a", "abc", "ab=c", "YW\nJj", " YWJj", "YW-_", "ä"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    """Decoding is strict: ignoring invalid characters would damage the image."""
    with pytest.raises(InvalidRequestError, match="`inputs` is not base64"):
        decode_base64(text, "`inputs`", 100)


@pytest.mark.parametrize("size", [8, 3_000_000])
def test_an_image_may_not_be_larger_because_it_is_encoded(size: int) -> None:
    """The limit applies to the decoded bytes."""
    with pytest.raises(ImageTooLargeError):
        decode_base64(base64.b64encode(bytes(size)).decode(), "`inputs`", 7)


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"{}", True), (b" \r\n\t{", True), (b"", False), (b"[{", False), (b"\x89PNG{", False)],
)
def test_json_is_recognised_by_its_first_character(body: bytes, expected: bool) -> None:
    """A body that starts with a brace is JSON, because no image format does."""
    with UploadBudget(100).upload() as upload:
        if body:
            upload.append(memoryview(body))
        assert is_object(upload) is expected
