"""Every way a request can fail, and the one place that renders failures as problem documents.

GatewayError
|-- InvalidRequestError     422 invalid_request
|-- UnreadableImageError    422 unreadable_image
|-- UnsupportedFormatError  415 unsupported_format
|-- ImageTooLargeError      413 image_too_large
|-- TooManyPixelsError      413 too_many_pixels
|-- NotFoundError           404 not_found
|-- MethodNotAllowedError   405 method_not_allowed
|-- MalformedHttpError      400 malformed_http
|-- HeadersTooLargeError    431 headers_too_large
|-- OverloadedError         503 overloaded, with Retry-After
|-- ModelUnavailableError   503 model_unavailable, with Retry-After
|   `-- NoWorkerFreeError   (TorchServe's refusal, which does not say which of the two it is)
|-- DeadlineExceededError   504 deadline_exceeded
`-- InternalError           500 internal_error
"""

from collections.abc import Mapping
from typing import ClassVar

from starlette.responses import Response

from gateway.schemas import Problem

PROBLEM_JSON = "application/problem+json"


class GatewayError(Exception):
    """A failure with a stable code; its detail says what is wrong and what to do."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    retry_after_s: ClassVar[int | None] = None

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})


class InvalidRequestError(GatewayError):
    """The form or a parameter is not what the endpoint takes."""

    status, code, title = 422, "invalid_request", "The request is not valid"


class UnreadableImageError(GatewayError):
    """The bytes are no image, or a damaged one."""

    status, code, title = 422, "unreadable_image", "The image cannot be read"


class UnsupportedFormatError(GatewayError):
    """An image, but of a format that is not taken."""

    status, code, title = 415, "unsupported_format", "The image format is not supported"


class ImageTooLargeError(GatewayError):
    """More bytes than the limit."""

    status, code, title = 413, "image_too_large", "The upload is too large"


class TooManyPixelsError(GatewayError):
    """More pixels than the limit."""

    status, code, title = 413, "too_many_pixels", "The image has too many pixels"


class NotFoundError(GatewayError):
    """No such route, model or version."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowedError(GatewayError):
    """The route exists, but not with this method."""

    status, code, title = 405, "method_not_allowed", "The method is not allowed"


class MalformedHttpError(GatewayError):
    """The bytes on the connection are not HTTP."""

    status, code, title = 400, "malformed_http", "The request is not HTTP"


class HeadersTooLargeError(GatewayError):
    """The request line and headers are longer than the server reads."""

    status, code, title = 431, "headers_too_large", "The request headers are too large"


class OverloadedError(GatewayError):
    """As many requests as may wait are waiting."""

    status, code, title = 503, "overloaded", "The service is overloaded"
    retry_after_s = 1


class ModelUnavailableError(GatewayError):
    """The inference server, its worker or the version cannot answer now."""

    status, code, title = 503, "model_unavailable", "The model is not available"
    retry_after_s = 3


class NoWorkerFreeError(ModelUnavailableError):
    """TorchServe took no job: its queue is full, or the version has no worker."""


class DeadlineExceededError(GatewayError):
    """The gateway's own deadline passed."""

    status, code, title = 504, "deadline_exceeded", "The deadline passed"


class InternalError(GatewayError):
    """A fault of the gateway itself; nothing that a client sends should lead here."""

    status, code, title = 500, "internal_error", "The gateway failed"


def render(error: GatewayError, request_id: str) -> Response:
    """The problem document (RFC 9457) of a failure, with its headers."""
    problem = Problem(
        type="about:blank",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=request_id,
    )
    response = Response(problem.model_dump_json(), error.status, media_type=PROBLEM_JSON)
    response.headers.update(error.headers)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
