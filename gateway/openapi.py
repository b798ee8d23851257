"""What the OpenAPI document says beyond the routes' types."""

from typing import Any, Final

from gateway import errors
from gateway.schemas import Problem

Responses = dict[int | str, dict[str, Any]]

TITLE: Final = "DeepLabV3 image segmentation"
VERSION: Final = "0.1.0"
DESCRIPTION: Final = """Semantic segmentation with DeepLabV3: which thing is at which pixel.

    curl -F file=@photo.jpg http://127.0.0.1:8000/segmentation -o mask.png

Errors are problem documents (RFC 9457) with a stable `code`. Every answer carries `X-Request-ID`;
send your own (letters, digits, `.`, `_`, `-`, at most 64) to find a request again."""
TAGS: Final = [
    {"name": "segmentation", "description": "Images in, masks out."},
    {"name": "models", "description": "What is served, and what its class ids mean."},
    {"name": "health", "description": "Probes for whoever watches the service."},
]

_DETAILS: Final = {
    "invalid_request": "The form has no field 'file'.",
    "unreadable_image": "The image is truncated. Send the complete file.",
    "unsupported_format": "PDF is not supported. Send JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF.",
    "image_too_large": "The image has more than 33554432 bytes (32 MiB). Send a smaller one.",
    "too_many_pixels": "The image has 100000000 pixels; the limit is 50000000. Scale it down.",
    "not_found": "deeplabv3 has no version 9.9. It has: 1.0.",
    "overloaded": "Too many requests are waiting. Send the image again shortly.",
    "model_unavailable": "The model's worker stopped while it computed, and is being restarted.",
    "deadline_exceeded": "No answer after 30 seconds. Try again later.",
}
_ERRORS: Final = {
    error.code: error for error in errors.GatewayError.__subclasses__() if error.code in _DETAILS
}


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


_REQUEST_ID: Final = {"X-Request-ID": _header("The request's id, yours or a new one.", "3f2a9c")}
_MODEL: Final = {
    "X-Model": _header("The model that answered.", "deeplabv3"),
    "X-Model-Version": _header("The version of it that answered.", "1.0"),
}

COLOUR_MAP: Final[Responses] = {
    200: {
        "headers": _MODEL
        | {
            "X-Class-Pixels": _header(
                "Pixels of each class that occurs: class id=count, ascending by id.",
                "0=195000,15=67144",
            ),
            "Server-Timing": _header(
                "Milliseconds spent in each stage.", "decode;dur=3.1, infer;dur=17.0, total;dur=25"
            ),
        },
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    }
}
LEGEND: Final[Responses] = {200: {"headers": _MODEL}}

IMAGE_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "The photograph. Other fields are ignored.",
                        }
                    },
                },
            }
        },
    }
}


def _example(error: type[errors.GatewayError]) -> dict[str, Any]:
    problem = Problem(
        type="about:blank",
        title=error.title,
        status=error.status,
        detail=_DETAILS[error.code],
        code=error.code,
        request_id="3f2a9c",
    )
    return {"summary": error.title, "value": problem.model_dump()}


def problems(*codes: str) -> Responses:
    """The documented answers for these kinds of problem, those of one status together."""
    responses: Responses = {}
    for error in (_ERRORS[code] for code in codes):
        headers = dict(_REQUEST_ID)
        if error.retry_after_s is not None:
            headers["Retry-After"] = _header("Seconds to wait.", str(error.retry_after_s))
        answer = responses.setdefault(
            error.status,
            {
                "description": "",
                "headers": headers,
                "content": {
                    errors.PROBLEM_JSON: {
                        "schema": {"$ref": "#/components/schemas/Problem"},
                        "examples": {},
                    }
                },
            },
        )
        answer["content"][errors.PROBLEM_JSON]["examples"][error.code] = _example(error)
        answer["description"] = " or ".join(filter(None, [answer["description"], error.title]))
    return responses


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Adds what no route's type brings in: the problem's schema, the id on every answer."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                response.setdefault("headers", {}).update(_REQUEST_ID)
    return document
