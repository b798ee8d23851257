"""Every failure of TorchServe is translated to an error of the gateway."""

import aiohttp
import httpx
import pytest

from gateway.errors import (
    DeadlineExceededError,
    GatewayError,
    ImageTooLargeError,
    InvalidRequestError,
    ModelUnavailableError,
    NodeUnreachableError,
    NoWorkerFreeError,
    TooManyPixelsError,
    UnreadableImageError,
    UnsupportedFormatError,
    WorkerDiedError,
)
from gateway.torchserve.failures import HANDLER, from_response, from_transport
from tests.unit.gateway.doubles import NO_WORKER, json_response, refused


def _all(kind: type[Exception]) -> list[type[Exception]]:
    return [kind] + [deeper for below in kind.__subclasses__() for deeper in _all(below)]


@pytest.mark.parametrize("kind", _all(aiohttp.ClientError))
def test_no_failure_of_aiohttp_is_unmapped(kind: type[aiohttp.ClientError]) -> None:
    """Every exception of aiohttp becomes a 503 or a 504."""
    error = from_transport(kind.__new__(kind))
    assert isinstance(error, (ModelUnavailableError, DeadlineExceededError))


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (refused(), NodeUnreachableError),
        (aiohttp.ConnectionTimeoutError(), NodeUnreachableError),
        (aiohttp.ClientOSError(), NodeUnreachableError),
        (aiohttp.ServerDisconnectedError(), NodeUnreachableError),
        (aiohttp.ClientPayloadError(), NodeUnreachableError),
        (aiohttp.SocketTimeoutError(), DeadlineExceededError),
        (TimeoutError(), DeadlineExceededError),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
)
def test_a_silent_server_is_distinguished_from_a_missing_one(
    failure: aiohttp.ClientError | TimeoutError, expected: type[GatewayError]
) -> None:
    """A timeout of the response is a 504; without a connection another node may answer."""
    assert type(from_transport(failure)) is expected


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (422, "invalid_request", InvalidRequestError),
        (413, "too_many_pixels", TooManyPixelsError),
        (415, "unsupported_format", UnsupportedFormatError),
        (422, "unreadable_image", UnreadableImageError),
        (503, "model_unavailable", ModelUnavailableError),
    ],
)
def test_the_handlers_verdict_is_passed_on(
    status: int, code: str, expected: type[GatewayError]
) -> None:
    """The handler's error keeps its status, code and detail."""
    error = from_response(json_response(status, {"code": code, "detail": "Do this."}))
    assert (type(error), error.detail, error.status) == (expected, "Do this.", status)
    assert HANDLER[code] is expected


@pytest.mark.parametrize(
    ("status", "kind", "message", "expected"),
    [
        (404, "ModelNotFoundException", "Model not found: x", NodeUnreachableError),
        (404, "ModelVersionNotFoundException", "Model version: 9", NodeUnreachableError),
        (404, "ResourceNotFoundException", "Requested resource", ModelUnavailableError),
        (503, NO_WORKER["type"], NO_WORKER["message"], NoWorkerFreeError),
        (503, "InternalServerException", "Prediction failed", ModelUnavailableError),
        (503, "InternalServerException", "Invalid model predict output", ModelUnavailableError),
        (500, "InternalServerException", "Worker died.", WorkerDiedError),
        (507, "InternalServerException", "Worker died.", WorkerDiedError),
        (500, "InternalServerException", "Worker scaled down.", WorkerDiedError),
        (507, "InternalServerException", "Out of memory", ModelUnavailableError),
        (500, "NullPointerException", "", ModelUnavailableError),
        (400, "BadRequestException", "Parameter", ModelUnavailableError),
        (400, "InvalidKeyException", "Token Authorization failed", NodeUnreachableError),
        (403, "IllegalArgumentException", "", ModelUnavailableError),
        (405, "MethodNotAllowedException", "", ModelUnavailableError),
        (408, "RequestTimeoutException", "", ModelUnavailableError),
        (202, "", "", ModelUnavailableError),
    ],
)
def test_torchserves_own_errors_have_a_row(
    status: int, kind: str, message: str, expected: type[GatewayError]
) -> None:
    """TorchServe's type and message decide, because its status is often ambiguous."""
    response = json_response(status, {"code": status, "type": kind, "message": message})
    assert type(from_response(response)) is expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (413, b"", ImageTooLargeError),
        (503, b"", ModelUnavailableError),
        (502, b"<html>", ModelUnavailableError),
        (500, b"[1, 2]", ModelUnavailableError),
        (422, b'{"code": "no_such_code"}', ModelUnavailableError),
        (422, b'{"code": null}', ModelUnavailableError),
        (422, b"\xff\xfe{", ModelUnavailableError),
    ],
)
def test_any_other_body_is_survived(status: int, body: bytes, expected: type[GatewayError]) -> None:
    """No body that TorchServe sends makes the gateway fail."""
    assert type(from_response(httpx.Response(status, content=body))) is expected
