"""JSON from clients: bounded, and refused in words."""

import base64

import pytest
from pydantic import BaseModel, Field

from gateway.admission.upload_budget import UploadBudget
from gateway.errors import ImageTooLargeError, InvalidRequestError
from gateway.http.json_body import MAX_VALUES, decode_base64, is_object, narrowed, parse


class Shape(BaseModel):
    """Something to parse."""

    name: str
    sizes: list[int] = Field(default=[], max_length=4)


def test_an_object_of_the_shape_is_parsed() -> None:
    """What else it holds is passed over."""
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
def test_anything_else_is_refused_in_words(body: bytes, fault: str) -> None:
    """No exception of a library gets out, however deep, long or broken the JSON is."""
    with pytest.raises(InvalidRequestError, match=fault):
        parse(body, Shape)


def test_a_body_of_very_many_values_is_not_parsed() -> None:
    """Three characters of JSON may take a hundred bytes of memory."""
    body = b'{"name": "a", "more": [' + b"[]," * MAX_VALUES + b"1]}"
    with pytest.raises(InvalidRequestError, match="values"):
        parse(body, Shape)


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    """Neither long values nor many faults make a long answer."""
    values = ", ".join(f'"{"secret" * 1000}"' for _ in range(4))
    with pytest.raises(InvalidRequestError) as refused:
        parse(f'{{"name": 1, "sizes": [{values}]}}'.encode(), Shape)
    assert "secret" not in refused.value.detail
    assert len(refused.value.detail) < 400


def test_the_document_may_say_less_than_is_parsed() -> None:
    """What is parsed beyond that is refused in words."""

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
    """With padding, as every encoder writes it."""
    assert decode_base64(base64.b64encode(b"a photo").decode(), "`inputs`", 7) == b"a photo"


@pytest.mark.parametrize("text", ["a", "abc", "ab=c", "YW\nJj", " YWJj", "YW-_", "ä"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    """Strictly: what is skipped silently would be a damaged image."""
    with pytest.raises(InvalidRequestError, match="`inputs` is not base64"):
        decode_base64(text, "`inputs`", 100)


@pytest.mark.parametrize("size", [8, 3_000_000])
def test_an_image_may_not_be_larger_because_it_is_encoded(size: int) -> None:
    """The limit is of the image's own bytes."""
    with pytest.raises(ImageTooLargeError):
        decode_base64(base64.b64encode(bytes(size)).decode(), "`inputs`", 7)


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"{}", True), (b" \r\n\t{", True), (b"", False), (b"[{", False), (b"\x89PNG{", False)],
)
def test_json_is_told_from_images_by_its_beginning(body: bytes, expected: bool) -> None:
    """No image format begins with a brace."""
    with UploadBudget(100).upload() as buffer:
        if body:
            buffer.append(memoryview(body))
        assert is_object(buffer) is expected
