"""JSON that clients send: bounded in size and in how much it holds, and refused in words."""

import binascii
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic.config import JsonDict
from starlette.requests import Request

from gateway.admission.upload_budget import Upload
from gateway.errors import GatewayError, ImageTooLargeError, InvalidRequestError
from gateway.http.uploads import limited, too_large

Shape = TypeVar("Shape", bound=BaseModel)

# A value may take thirty times its length in memory: "[]," of three characters is a list.
_MIB: Final = 1024 * 1024

MAX_VALUES: Final = 1_000_000
_SHOWN_FAULTS: Final = 3
_SHOWN_CHARACTERS: Final = 40
# What a schema says of a text that `decode_base64` takes.
BASE64: Final[JsonDict] = {
    "type": "string",
    "format": "byte",
    "contentEncoding": "base64",
    "minLength": 1,
}


def narrowed(**keywords: JsonValue) -> Callable[[JsonDict], None]:
    """For json_schema_extra: a schema of less than what is parsed, to be refused in words."""

    def change(schema: JsonDict) -> None:
        kept = {each: schema[each] for each in ("title", "description") if each in schema}
        schema.clear()
        schema.update(kept | keywords)

    return change


def room_for(image_bytes: int) -> int:
    """The longest body that holds one image of that size in base64, and what goes with it."""
    return image_bytes * 4 // 3 + _MIB


def body_too_large(max_bytes: int) -> GatewayError:
    """The error for a longer body."""
    return ImageTooLargeError(
        f"The request has more than {max_bytes} bytes ({max_bytes / 2**20:.3g} MiB). Send less."
    )


async def read_json_body(request: Request, max_bytes: int, body: Upload) -> None:
    """Fills the buffer with the request's body.

    Raises ImageTooLargeError, OverloadedError if the buffer cannot grow, InvalidRequestError for a
    body that is compressed, and starlette's ClientDisconnect.
    """
    coding = request.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise InvalidRequestError(
            f"Content-Encoding {coding[:_SHOWN_CHARACTERS]!r} is not taken. Send the body as it is."
        )
    async for chunk in limited(request, max_bytes, partial(body_too_large, max_bytes)):
        body.append(memoryview(chunk))


def is_object(body: Upload) -> bool:
    """Whether the body begins as a JSON object does, and no image."""
    start = bytes(body.blocks[0][:_SHOWN_CHARACTERS]) if body.blocks else b""
    return start.lstrip(b" \t\r\n").startswith(b"{")


def parse(body: bytes, shape: type[Shape]) -> Shape:
    """The body as an object of that shape; raises InvalidRequestError if it is none."""
    # One of these characters is before each value but the first.
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > MAX_VALUES:
        raise InvalidRequestError(f"The JSON holds more than {MAX_VALUES} values. Send less.")
    try:
        # Strictly: false is no number, and a number no text.
        return shape.model_validate_json(body, strict=True)
    except ValidationError as exc:
        raise InvalidRequestError(f"The JSON is not what is expected: {_in_words(exc)}.") from exc


def _in_words(exc: ValidationError) -> str:
    # Without the input, which may be an image; and keys may be as long as the client likes.
    faults = exc.errors(include_url=False, include_input=False, include_context=False)
    told = [
        f"{'.'.join(str(part)[:_SHOWN_CHARACTERS] for part in fault['loc'])}: {fault['msg']}"
        for fault in faults[:_SHOWN_FAULTS]
    ]
    return "; ".join(each.removeprefix(": ") for each in told)


def decode_base64(text: str, place: str, max_bytes: int) -> bytes:
    """The bytes of an image in base64; place: where the text was found, for messages.

    Raises InvalidRequestError for anything but base64, ImageTooLargeError for more bytes.
    """
    if len(text) > room_for(max_bytes):
        raise too_large(max_bytes)
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as exc:  # of which binascii's own error is one
        raise InvalidRequestError(
            f"{place} is not base64: send an image's bytes, encoded without line breaks."
        ) from exc
    if len(data) > max_bytes:
        raise too_large(max_bytes)
    return data
