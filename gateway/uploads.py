"""Reads the image out of a multipart form as it arrives: once, in memory, never past the limits."""

from typing import Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from gateway.errors import (
    GatewayError,
    ImageTooLargeError,
    InvalidRequestError,
    UnreadableImageError,
)
from gateway.memory import Buffer

FIELD: Final = "file"
# Room for the form around the file: boundaries, part headers and fields that are passed over.
_FORM_ALLOWANCE: Final = 1024 * 1024
# Every part costs time to parse, also an empty one.
_MAX_PARTS: Final = 100
_HINT: Final = (
    f"Send the image as a multipart form with a file field named '{FIELD}', "
    f"for example: curl -F {FIELD}=@photo.jpg"
)


class _Form:
    """Callbacks of the parser: keeps the bytes of the one file field and drops all other parts."""

    def __init__(self, max_bytes: int, buffer: Buffer) -> None:
        self._max_bytes = max_bytes
        self._buffer = buffer
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._wanted = False
        self._parts = 0
        self.complete = False
        self.found = False

    def part_begin(self) -> None:
        self._disposition = b""
        self._wanted = False
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise InvalidRequestError(f"The form has more than {_MAX_PARTS} parts. {_HINT}")

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != FIELD.encode():
            return
        if self.found:
            raise InvalidRequestError(f"The form has more than one field '{FIELD}'. Send one.")
        if not options.get(b"filename"):
            raise InvalidRequestError(f"The field '{FIELD}' has no file name. {_HINT}")
        self.found = self._wanted = True

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if not self._wanted:
            return
        if self._buffer.size + end - start > self._max_bytes:
            raise too_large(self._max_bytes)
        self._buffer.append(memoryview(data)[start:end])

    def end(self) -> None:
        self.complete = True

    def parser(self, boundary: bytes) -> MultipartParser:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self.part_begin,
                "on_part_data": self.part_data,
                "on_header_field": self.header_field,
                "on_header_value": self.header_value,
                "on_header_end": self.header_end,
                "on_headers_finished": self.headers_finished,
                "on_end": self.end,
            },
        )


def too_large(max_bytes: int) -> GatewayError:
    """The error for more bytes than the limit."""
    return ImageTooLargeError(
        f"The image has more than {max_bytes} bytes ({max_bytes / 2**20:.3g} MiB). "
        "Send a smaller one."
    )


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("Content-Type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidRequestError(f"The request is no multipart form. {_HINT}")
    return boundary


def _refuse_by_length(request: Request, max_bytes: int) -> None:
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:20]) > max_bytes + _FORM_ALLOWANCE:
        raise too_large(max_bytes)


async def _parse(request: Request, form: _Form, boundary: bytes, max_bytes: int) -> None:
    parser = form.parser(boundary)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > max_bytes + _FORM_ALLOWANCE:
            raise too_large(max_bytes)
        parser.write(chunk)


async def read_image(request: Request, max_bytes: int, image: Buffer) -> None:
    """Fills the buffer with the form's file, as the client encoded it.

    Reads no further than needed to see that the form breaks a rule. Raises InvalidRequestError,
    ImageTooLargeError, UnreadableImageError for an empty file, OverloadedError if the buffer
    cannot grow, and starlette's ClientDisconnect.
    """
    form = _Form(max_bytes, image)
    boundary = _boundary(request)
    _refuse_by_length(request, max_bytes)
    try:
        await _parse(request, form, boundary, max_bytes)
    except FormParserError as exc:
        raise InvalidRequestError(f"The multipart form is malformed. {_HINT}") from exc
    if not form.complete:
        raise InvalidRequestError("The multipart form ends before its closing boundary.")
    if not form.found:
        raise InvalidRequestError(f"The form has no field '{FIELD}'. {_HINT}")
    if image.size == 0:
        raise UnreadableImageError("The file is empty. Send an image.")
