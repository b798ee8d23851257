"""JSON request bodies: bounded in bytes and in number of values, and validated."""

import binascii
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeVar

from fastapi.routing import APIRoute
from pydantic import BaseModel, JsonValue, ValidationError
from pydantic.config import JsonDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from gateway.admission.upload_budget import Upload
from gateway.errors import GatewayError, ImageTooLargeError, InvalidRequestError
from gateway.http.uploads import limited, too_large

Shape = TypeVar("Shape", bound=BaseModel)

_MIB: Final = 1024 * 1024
_SMALL_BYTES: Final = 64 * 1024
# A value may take thirty times its length in memory: "[]," of three characters is a list.
MAX_VALUES: Final = 1_000_000
_SHOWN_FAULTS: Final = 3
_SHOWN_CHARACTERS: Final = 40
# JSON schema of a string that `decode_base64` accepts.
BASE64: Final[JsonDict] = {
    "type": "string",
    "format": "byte",
    "contentEncoding": "base64",
    "minLength": 1,
}


def narrowed(**keywords: JsonValue) -> Callable[[JsonDict], None]:
    """Return a json_schema_extra that documents less than the parser accepts.

    The rest is accepted by the parser and then refused with an explanation.
    """

    def change(schema: JsonDict) -> None:
        kept = {each: schema[each] for each in ("title", "description") if each in schema}
        schema.clear()
        schema.update(kept | keywords)

    return change


def base64_limit(image_bytes: int) -> int:
    """Return the largest JSON body for an image of that size: its base64 and 1 MiB for the rest."""
    return image_bytes * 4 // 3 + _MIB


def body_too_large(max_bytes: int) -> GatewayError:
    """Return the error for a larger body."""
    return ImageTooLargeError(
        f"The request has more than {max_bytes} bytes ({max_bytes / 2**20:.3g} MiB). Send less."
    )


async def read_json_body(request: Request, max_bytes: int, body: Upload) -> None:
    """Read the request's body into an upload.

    Raises ImageTooLargeError, OverloadedError if the upload budget is spent,
    UnsupportedEncodingError for a compressed body, and starlette's ClientDisconnect.
    """
    async for chunk in limited(request, max_bytes, partial(body_too_large, max_bytes)):
        body.append(memoryview(chunk))


class SmallBodyRoute(APIRoute):
    """A route whose body FastAPI parses, at most 64 KiB and uncompressed.

    Raises ImageTooLargeError or UnsupportedEncodingError for another one.
    """

    def max_bytes(self, _request: Request) -> int:
        """Return the limit of a request; subclasses may have another one."""
        return _SMALL_BYTES

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler behind the check."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            most = self.max_bytes(request)
            refusal = partial(body_too_large, most)
            body = b"".join([chunk async for chunk in limited(request, most, refusal)])
            message: Message = {"type": "http.request", "body": body, "more_body": False}
            messages = iter([message])

            async def receive() -> Message:
                return next(messages, None) or await request.receive()

            return await handle(Request(request.scope, receive))

        return checked


def is_object(body: Upload) -> bool:
    """Whether the body starts like a JSON object, which no image format does."""
    start = bytes(body.blocks[0][:_SHOWN_CHARACTERS]) if body.blocks else b""
    return start.lstrip(b" \t\r\n").startswith(b"{")


def parse(body: bytes, shape: type[Shape]) -> Shape:
    """Parse the body as that model; raises InvalidRequestError if it does not match."""
    # Each value but the first is preceded by one of these characters.
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > MAX_VALUES:
        raise InvalidRequestError(f"The JSON holds more than {MAX_VALUES} values. Send less.")
    try:
        # Strict: neither false for a number, nor a number for a string.
        return shape.model_validate_json(body, strict=True)
    except ValidationError as exc:
        raise InvalidRequestError(f"The JSON is not what is expected: {_describe(exc)}.") from exc


def _describe(exc: ValidationError) -> str:
    # Leave the input out: it may be an image. Truncate keys: a client may send long ones.
    faults = exc.errors(include_url=False, include_input=False, include_context=False)
    messages = [
        f"{'.'.join(str(part)[:_SHOWN_CHARACTERS] for part in fault['loc'])}: {fault['msg']}"
        for fault in faults[:_SHOWN_FAULTS]
    ]
    return "; ".join(each.removeprefix(": ") for each in messages)


def decode_base64(text: str, place: str, max_bytes: int) -> bytes:
    """Decode an image in base64. place: name of its field, for messages.

    Raises InvalidRequestError for anything but base64, ImageTooLargeError for more bytes.
    """
    if len(text) > base64_limit(max_bytes):
        raise too_large(max_bytes)
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as exc:  # the base class of binascii.Error
        raise InvalidRequestError(
            f"{place} is not base64: send an image's bytes, encoded without line breaks."
        ) from exc
    if len(data) > max_bytes:
        raise too_large(max_bytes)
    return data
