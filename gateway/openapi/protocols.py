"""What the OpenAPI document says about the routes that speak other programs' protocols."""

from typing import Any, Final

from pydantic import BaseModel

from gateway.openapi import examples
from gateway.openapi.headers import FACTS, MODEL, NOT_STORED
from gateway.openapi.problems import Responses
from gateway.openapi.schemas import BINARY, reference
from gateway.protocols.hugging_face.messages import HuggingFaceInputs
from gateway.protocols.label_studio.messages import LabelStudioProject, LabelStudioTasks
from gateway.protocols.open_inference.requests import HEADER_LENGTH, InferenceRequest
from gateway.protocols.open_inference.responses import InferenceResponse


def _takes(model: type[BaseModel], *binary: str) -> dict[str, Any]:
    """A body in JSON, or one of bytes of these types."""
    content: dict[str, Any] = {"application/json": {"schema": reference(model)}}
    content |= {kind: {"schema": BINARY} for kind in binary}
    return {"requestBody": {"required": True, "content": content}}


HUGGING_FACE_BODY: Final = _takes(HuggingFaceInputs, "image/jpeg", "image/png")
HUGGING_FACE_ANSWER: Final[Responses] = {
    200: {
        "headers": FACTS | NOT_STORED,
        "content": {"application/json": {"example": examples.SEGMENTS}},
    }
}

_LENGTH: Final = {
    "description": "Bytes of the JSON that the body begins with, if binary tensors follow it.",
    # Not as an example of the header itself: the page at /docs would send it.
    "schema": {"type": "integer", "minimum": 1, "examples": [186]},
}
INFERENCE: Final = _takes(InferenceRequest, "application/octet-stream") | {
    "parameters": [_LENGTH | {"name": HEADER_LENGTH, "in": "header", "required": False}]
}
INFERRED: Final[Responses] = {
    200: {
        "headers": FACTS | NOT_STORED | {HEADER_LENGTH: _LENGTH},
        "content": {
            "application/json": {"schema": reference(InferenceResponse)},
            "application/octet-stream": {"schema": BINARY},
        },
    }
}

LABEL_STUDIO_PROJECT: Final = _takes(LabelStudioProject)
LABEL_STUDIO_TASKS: Final = _takes(LabelStudioTasks)
# Only the headers: the routes' types give the shape.
CONNECTED: Final[Responses] = {200: {"headers": MODEL}}
PREDICTED: Final[Responses] = {200: {"headers": MODEL | NOT_STORED}}
