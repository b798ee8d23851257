"""Error responses in the OpenAPI document."""

from typing import Any, Final

from gateway import errors
from gateway.http.problems import PROBLEM_JSON, Problem
from gateway.openapi.headers import RATE_LIMIT, REQUEST_ID, retry_after
from gateway.openapi.image_formats import listed
from gateway.openapi.schemas import reference

Responses = dict[int | str, dict[str, Any]]

# The errors of every route that accepts an image.
IMAGE_PROBLEMS: Final = (
    "invalid_request",
    "unreadable_image",
    "unsupported_format",
    "unsupported_encoding",
    "image_too_large",
    "too_many_pixels",
    "not_found",
    "overloaded",
    "model_unavailable",
    "deadline_exceeded",
)

_DETAILS: Final = {
    "not_acceptable": "The answer is image/png or application/json. Name one of them in Accept.",
    "invalid_request": "The form has no field 'file'.",
    "unauthorized": "This gateway asks for a key. Send it as `Authorization: Bearer KEY`.",
    "forbidden": "This needs a key with the role admin, not user.",
    "unreadable_image": "The image is truncated. Send the complete file.",
    "unsupported_format": f"PDF is not supported. Send {listed('or')}.",
    "unsupported_encoding": "Content-Encoding 'gzip' is not taken. Send the body as it is.",
    "image_too_large": "The image has more than 33554432 bytes (32 MiB). Send a smaller one.",
    "too_many_pixels": "The image has 100000000 pixels; the limit is 50000000. Scale it down.",
    "conflict": "This is the last key with the role admin. Add another one first.",
    "gate_closed": "deeplabv3 2.0 does not become stable: no node has a ready worker of 2.0.",
    "precondition_failed": "deeplabv3 has changed meanwhile: its etag is 8, not 7.",
    "invalid_archive": "The file is not a zip archive, or is cut short.",
    "archive_too_large": "The archive has more than 2147483648 bytes, the limit.",
    "store_unavailable": "The archive store is full. Make room and try again.",
    "too_many_requests": "600/minute is the limit. Send it again in 12 seconds.",
    "not_found": "deeplabv3 has no version 9.9. It has: 1.0.",
    "overloaded": "Too many requests are waiting. Send the image again shortly.",
    "source_unavailable": "Label Studio at http://127.0.0.1:8080 does not respond.",
    "registry_unavailable": "The database segserve on db.test cannot be used: it does not answer.",
    "model_unavailable": "The model's worker stopped while it computed, and is being restarted.",
    "deadline_exceeded": "No answer after 30 seconds. Try again later.",
}
_ERRORS: Final = {
    error.code: error for error in errors.GatewayError.__subclasses__() if error.code in _DETAILS
}


def _example(error: type[errors.GatewayError], detail: str) -> dict[str, Any]:
    problem = Problem(
        type="about:blank",
        title=error.title,
        status=error.status,
        detail=detail,
        code=error.code,
        request_id="3f2a9c",
    )
    return {"summary": error.title, "value": problem.model_dump()}


def _response(error: type[errors.GatewayError]) -> dict[str, Any]:
    seconds = error.retry_after_s
    headers = REQUEST_ID | (retry_after(seconds) if seconds is not None else {})
    if error is errors.TooManyRequestsError:
        headers |= RATE_LIMIT
    return {
        "description": "",
        "headers": headers,
        "content": {PROBLEM_JSON: {"schema": reference(Problem), "examples": {}}},
    }


def problems(*codes: str, **details: str) -> Responses:
    """Return the documented responses for these error codes, grouped by status.

    details: code -> the detail of the example, where the route has its own.
    """
    responses: Responses = {}
    for error in (_ERRORS[code] for code in dict.fromkeys([*codes, *details])):
        response = responses.setdefault(error.status, _response(error))
        response["content"][PROBLEM_JSON]["examples"][error.code] = _example(
            error, details.get(error.code, _DETAILS[error.code])
        )
        response["description"] = " or ".join(filter(None, [response["description"], error.title]))
    return responses
