"""Streaming parser of multipart forms: pass file fields to a receiver, drop all other fields."""

import re
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote_to_bytes

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from gateway.errors import InvalidRequestError, UnsupportedEncodingError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD: Final = "file"
HINT: Final = (
    f"Send the image as a multipart form with a file field named '{FIELD}', "
    f"for example: curl -F {FIELD}=@photo.jpg"
)
FORM_TYPE: Final = b"multipart/form-data"
# A name in RFC 5987's form, which urllib3 before 1.25 and .NET send, and which the parser drops.
_EXTENDED_NAME: Final = re.compile(
    rb"""filename\*\s*=\s*"?([\w-]*)'[^']*'([^;"\s]*)""", re.IGNORECASE
)
_CHARSETS: Final = {b"iso-8859-1": "latin-1"}
# A part's own encodings, and those that leave its bytes as they are.
_ENCODINGS: Final = (b"content-transfer-encoding", b"content-encoding")
_AS_IT_IS: Final = (b"binary", b"8bit", b"7bit", b"identity")
# Longer than the names of files that are sent without their content, and shorter than an image.
_MAX_TEXT: Final = 300
_TEXT: Final = re.compile(rb"[ -~\r\n\t]+")


class Receiver(Protocol):
    """A receiver of a form's files, one after the other."""

    def begin(self, name: str) -> None:
        """Begin a file with the name that the client sent, which may be empty."""

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
        self._encoding = b""
        self._is_file = False
        self._text: bytearray | None = None
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
        self._disposition = self._encoding = b""
        self._is_file = False
        self._text = None
        self._parts += 1
        if self._parts > self._max_parts:
            raise InvalidRequestError(f"The form has more than {self._max_parts} parts. {HINT}")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        name = bytes(self._header).lower()
        if name == b"content-disposition":
            self._disposition = bytes(self._value)
        elif name in _ENCODINGS and bytes(self._value).strip().lower() not in _AS_IT_IS:
            self._encoding = bytes(self._header + b" " + self._value)
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != FIELD.encode():
            return
        if self._encoding:
            encoding = self._encoding.decode("utf-8", "replace")[:80]
            raise UnsupportedEncodingError(
                f"The file's encoding is not taken: {encoding}. Send its bytes as they are."
            )
        name = options.get(b"filename", b"").decode("utf-8", "replace")
        if b"*" in self._disposition:
            name = _extended_name(self._disposition) or name
        self._receiver.begin(name)
        self._is_file = True
        self._text = None if name else bytearray()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._receiver.write(memoryview(data)[start:end])
            if self._text is not None and len(self._text) <= _MAX_TEXT:
                self._text += data[start : min(end, start + _MAX_TEXT + 1)]

    def _part_end(self) -> None:
        if self._text and len(self._text) <= _MAX_TEXT and _TEXT.fullmatch(self._text):
            # As curl -F sends a name without the sign @; no image is short text.
            raise InvalidRequestError(f"The field '{FIELD}' is text without a file name. {HINT}")
        if self._is_file:
            self._receiver.end()

    def _end(self) -> None:
        self._complete = True


def _extended_name(disposition: bytes) -> str:
    """Return the name in filename*; empty if there is none."""
    match = _EXTENDED_NAME.search(disposition)
    if match is None:
        return ""
    charset = _CHARSETS.get(match[1].lower(), "utf-8")
    return unquote_to_bytes(match[2]).decode(charset, "replace")


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
