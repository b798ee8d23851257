"""Streaming parser of multipart forms: pass file fields to a receiver, drop all other fields."""

from typing import TYPE_CHECKING, Final, Protocol

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from gateway.errors import InvalidRequestError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD: Final = "file"
HINT: Final = (
    f"Send the image as a multipart form with a file field named '{FIELD}', "
    f"for example: curl -F {FIELD}=@photo.jpg"
)
FORM_TYPE: Final = b"multipart/form-data"


class Receiver(Protocol):
    """A receiver of a form's files, one after the other."""

    def begin(self, name: str) -> None:
        """Begin a file with the name that the client sent."""

    def write(self, data: memoryview) -> None:
        """Append bytes to the file."""

    def end(self) -> None:
        """Complete the file."""


class Form:
    """A form that is parsed as its bytes arrive."""

    def __init__(self, boundary: bytes, receiver: Receiver, max_parts: int) -> None:
        self._receiver = receiver
        self._max_parts = max_parts
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._is_file = False
        self._parts = 0
        self._began = False
        self._complete = False
        try:
            self._parser = MultipartParser(boundary, self._callbacks())
        except FormParserError as exc:
            raise InvalidRequestError(f"The multipart form is malformed. {HINT}") from exc

    def feed(self, chunk: bytes) -> None:
        """Parse the next bytes; raises InvalidRequestError, or what the receiver raises."""
        if not self._began:
            # The parser skips line breaks before the first boundary, but within one chunk only.
            chunk = chunk.lstrip(b"\r\n")
            self._began = bool(chunk)
        try:
            self._parser.write(chunk)
        except FormParserError as exc:
            raise InvalidRequestError(f"The multipart form is malformed. {HINT}") from exc

    def finish(self) -> None:
        """Raise InvalidRequestError if the closing boundary is missing."""
        if not self._complete:
            raise InvalidRequestError("The multipart form ends before its closing boundary.")

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begin,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._disposition = b""
        self._is_file = False
        self._parts += 1
        if self._parts > self._max_parts:
            raise InvalidRequestError(f"The form has more than {self._max_parts} parts. {HINT}")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != FIELD.encode():
            return
        name = options.get(b"filename")
        if not name:
            raise InvalidRequestError(f"The field '{FIELD}' has no file name. {HINT}")
        self._receiver.begin(name.decode("utf-8", "replace"))
        self._is_file = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._receiver.write(memoryview(data)[start:end])

    def _part_end(self) -> None:
        if self._is_file:
            self._receiver.end()

    def _end(self) -> None:
        self._complete = True


def is_form(request: Request) -> bool:
    """Whether the request declares its body as a multipart form."""
    kind, _ = parse_options_header(request.headers.get("Content-Type"))
    return kind == FORM_TYPE


def boundary_of(request: Request) -> bytes:
    """Return the boundary of the form; raises InvalidRequestError if the request is not a form."""
    kind, options = parse_options_header(request.headers.get("Content-Type"))
    boundary = options.get(b"boundary", b"")
    if kind != FORM_TYPE or not boundary:
        raise InvalidRequestError(f"The request is no multipart form. {HINT}")
    return boundary
