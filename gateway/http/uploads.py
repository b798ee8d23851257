"""Streaming reads of images, from a form or the body, within the limits."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

from starlette.requests import Request

from gateway.admission.upload_budget import Upload
from gateway.errors import (
    GatewayError,
    ImageTooLargeError,
    InvalidRequestError,
    UnreadableImageError,
    UnsupportedEncodingError,
)
from gateway.http.multipart import FIELD, HINT, Form, boundary_of, is_form

# Bytes for the form around the file: boundaries, part headers and ignored fields.
FORM_ALLOWANCE: Final = 1024 * 1024
# Even an empty part costs time to parse.
_MAX_PARTS: Final = 100
_SHOWN_CHARACTERS: Final = 40


class _OneFile:
    """A receiver of exactly one file."""

    def __init__(self, max_bytes: int, upload: Upload) -> None:
        self._max_bytes = max_bytes
        self._upload = upload
        self.has_begun = False

    def begin(self, _: str) -> None:
        if self.has_begun:
            raise InvalidRequestError(f"The form has more than one field '{FIELD}'. Send one.")
        self.has_begun = True

    def write(self, data: memoryview) -> None:
        if self._upload.size + len(data) > self._max_bytes:
            raise too_large(self._max_bytes)
        self._upload.append(data)

    def end(self) -> None:
        """Do nothing: the upload has all bytes already."""


def too_large(max_bytes: int) -> GatewayError:
    """Return the error for an image with more bytes than the limit."""
    return ImageTooLargeError(
        f"The image has more than {max_bytes} bytes ({max_bytes / 2**20:.3g} MiB). "
        "Send a smaller one."
    )


async def limited(
    request: Request, max_bytes: int, error: Callable[[], GatewayError]
) -> AsyncIterator[bytes]:
    """Yield the chunks of a body; raise ``error()`` once more bytes are announced or received.

    Raises UnsupportedEncodingError for a compressed body.
    """
    if "Content-Encoding" in request.headers:
        _check_coding(request)
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:20]) > max_bytes:
        raise error()
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > max_bytes:
            raise error()
        yield chunk


def _check_coding(request: Request) -> None:
    coding = ", ".join(request.headers.getlist("Content-Encoding"))
    if {each.strip().lower() for each in coding.split(",")} - {"", "identity"}:
        raise UnsupportedEncodingError(
            f"Content-Encoding {coding[:_SHOWN_CHARACTERS]!r} is not taken. Send the body as it is."
        )


async def _read_form(request: Request, max_bytes: int, image: Upload) -> None:
    file = _OneFile(max_bytes, image)
    form = Form(boundary_of(request), file, _MAX_PARTS)
    async for chunk in limited(request, max_bytes + FORM_ALLOWANCE, partial(too_large, max_bytes)):
        form.feed(chunk)
    form.finish()
    if not file.has_begun:
        raise InvalidRequestError(f"The form has no field '{FIELD}'. {HINT}")


async def _read_body(request: Request, max_bytes: int, image: Upload) -> None:
    async for chunk in limited(request, max_bytes, partial(too_large, max_bytes)):
        image.append(memoryview(chunk))


async def read_image(request: Request, max_bytes: int, image: Upload, *, raw: bool = False) -> None:
    """Read the image of a request into an upload, as the client encoded it.

    raw: whether a body that is not a form is accepted as the image itself.

    Stops reading at the first violation. Raises InvalidRequestError, ImageTooLargeError,
    UnsupportedEncodingError for compressed bytes, UnreadableImageError for an empty file,
    OverloadedError if the upload budget is spent, and starlette's ClientDisconnect.
    """
    read = _read_body if raw and not is_form(request) else _read_form
    await read(request, max_bytes, image)
    if image.size == 0:
        raise UnreadableImageError("The file is empty. Send an image.")
