"""Exceptions for every way in which a request can fail.

GatewayError
|-- InvalidRequestError     422 invalid_request
|-- UnauthorizedError       401 unauthorized
|-- ForbiddenError          403 forbidden
|-- UnreadableImageError    422 unreadable_image
|-- UnsupportedFormatError  415 unsupported_format
|-- UnsupportedEncodingError  415 unsupported_encoding
|-- ImageTooLargeError      413 image_too_large
|-- TooManyPixelsError      413 too_many_pixels
|-- InvalidArchiveError     422 invalid_archive
|-- ArchiveTooLargeError    413 archive_too_large
|-- NotFoundError           404 not_found
|-- MethodNotAllowedError   405 method_not_allowed
|-- NotAcceptableError      406 not_acceptable
|-- ConflictError           409 conflict
|-- GateClosedError         409 gate_closed
|-- PreconditionFailedError 412 precondition_failed
|-- MalformedHttpError      400 malformed_http
|-- UnknownHostError        421 unknown_host
|-- HeadersTooLargeError    431 headers_too_large
|-- UnsupportedTransferCodingError  501 unsupported_transfer_coding
|-- TooManyRequestsError    429 too_many_requests, with Retry-After
|-- OverloadedError         503 overloaded, with Retry-After
|-- SourceUnavailableError  503 source_unavailable, with Retry-After
|-- RegistryUnavailableError  503 registry_unavailable, with Retry-After
|-- StoreUnavailableError   503 store_unavailable, with Retry-After
|-- ModelUnavailableError   503 model_unavailable, with Retry-After
|   |-- NodeUnreachableError  (another node may compute it)
|   `-- JobLostError        (another worker or version may compute it)
|       |-- NoWorkerFreeError   (overloaded or model_unavailable: TorchServe does not say)
|       `-- WorkerDiedError
|-- DeadlineExceededError   504 deadline_exceeded
`-- InternalError           500 internal_error
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class GatewayError(Exception):
    """A failure with a stable code; the detail says what is wrong and what to do."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    own_headers: ClassVar[Mapping[str, str]] = {}
    retry_after_s: int | None = None

    # members: more of the problem document, for programs.
    def __init__(
        self, detail: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = {**self.own_headers, **(headers or {})}
        self.members = members


class InvalidRequestError(GatewayError):
    """The form or a parameter is not valid for the endpoint."""

    status, code, title = 422, "invalid_request", "The request is not valid"


class UnauthorizedError(GatewayError):
    """The key is missing or unknown."""

    status, code, title = 401, "unauthorized", "A key is needed"
    own_headers: ClassVar = {"WWW-Authenticate": "Bearer"}


class ForbiddenError(GatewayError):
    """The key is valid, but lacks the role."""

    status, code, title = 403, "forbidden", "The key does not have the role"


class UnreadableImageError(GatewayError):
    """The bytes are not an image, or the image is damaged."""

    status, code, title = 422, "unreadable_image", "The image cannot be read"


class UnsupportedFormatError(GatewayError):
    """The image has a format that is not supported."""

    status, code, title = 415, "unsupported_format", "The image format is not supported"


class UnsupportedEncodingError(GatewayError):
    """The body is compressed, or a form's file is in base64."""

    status, code, title = 415, "unsupported_encoding", "The encoding is not supported"
    own_headers: ClassVar = {"Accept-Encoding": "identity"}


class ImageTooLargeError(GatewayError):
    """The upload has more bytes than the limit."""

    status, code, title = 413, "image_too_large", "The upload is too large"


class TooManyPixelsError(GatewayError):
    """The image has more pixels than the limit."""

    status, code, title = 413, "too_many_pixels", "The image has too many pixels"


class InvalidArchiveError(GatewayError):
    """The file is not an archive that this gateway can take."""

    status, code, title = 422, "invalid_archive", "The archive cannot be taken"


class ArchiveTooLargeError(GatewayError):
    """The archive has more bytes than the limit."""

    status, code, title = 413, "archive_too_large", "The archive is too large"


class NotFoundError(GatewayError):
    """There is no such route, model or version."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowedError(GatewayError):
    """The route exists, but not with this method."""

    status, code, title = 405, "method_not_allowed", "The method is not allowed"


class NotAcceptableError(GatewayError):
    """The response has none of the media types that the client accepts."""

    status, code, title = 406, "not_acceptable", "No acceptable form of the answer"


class ConflictError(GatewayError):
    """The change conflicts with the current state."""

    status, code, title = 409, "conflict", "The change is not possible now"


class GateClosedError(GatewayError):
    """What was measured of a version speaks against its promotion."""

    status, code, title = 409, "gate_closed", "The gate of the promotion is closed"


class PreconditionFailedError(GatewayError):
    """Another change came first: If-Match names an etag that is no longer the current one."""

    status, code, title = 412, "precondition_failed", "The state has changed meanwhile"


class MalformedHttpError(GatewayError):
    """The bytes on the connection are not HTTP."""

    status, code, title = 400, "malformed_http", "The request is not HTTP"


class UnknownHostError(GatewayError):
    """The header Host has a name that may be another site's."""

    status, code, title = 421, "unknown_host", "The host name is not the gateway's"


class HeadersTooLargeError(GatewayError):
    """The request line and headers exceed the server's limit."""

    status, code, title = 431, "headers_too_large", "The request headers are too large"


class UnsupportedTransferCodingError(GatewayError):
    """The body has a transfer coding other than chunked."""

    status, code, title = 501, "unsupported_transfer_coding", "The coding is not supported"


class TooManyRequestsError(GatewayError):
    """The key, or the client's address, has used up its quota."""

    status, code, title = 429, "too_many_requests", "Too many requests"
    retry_after_s = 1


class OverloadedError(GatewayError):
    """The queue for TorchServe, or the upload budget, is full."""

    status, code, title = 503, "overloaded", "The service is overloaded"
    retry_after_s = 1


class SourceUnavailableError(GatewayError):
    """The server from which images are fetched does not respond, or refuses the gateway."""

    status, code, title = 503, "source_unavailable", "The source of the images is not available"
    retry_after_s = 3


class RegistryUnavailableError(GatewayError):
    """The database does not answer, or cannot be used."""

    status, code, title = 503, "registry_unavailable", "The database is not available"
    retry_after_s = 3


class StoreUnavailableError(GatewayError):
    """The archive store cannot be read or written: it is full, read-only, away or gone."""

    status, code, title = 503, "store_unavailable", "The archive store is not available"
    retry_after_s = 10


class ModelUnavailableError(GatewayError):
    """The inference server, its worker or the version cannot serve requests now."""

    status, code, title = 503, "model_unavailable", "The model is not available"
    retry_after_s = 3


class NodeUnreachableError(ModelUnavailableError):
    """A node refused the connection, broke it, or knows the version no longer; another may do."""


class JobLostError(ModelUnavailableError):
    """TorchServe did not compute a job; another worker or version may."""


class NoWorkerFreeError(JobLostError):
    """TorchServe accepted no job: its queue is full, or the version has no worker."""


class WorkerDiedError(JobLostError):
    """The worker ended while it computed: it crashed, or was scaled down."""


class DeadlineExceededError(GatewayError):
    """The gateway's own deadline passed."""

    status, code, title = 504, "deadline_exceeded", "The deadline passed"


class InternalError(GatewayError):
    """A fault of the gateway itself, which no request of a client should cause."""

    status, code, title = 500, "internal_error", "The gateway failed"
