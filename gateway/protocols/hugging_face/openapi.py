"""Bodies and examples of the Hugging Face route for the OpenAPI document."""

from typing import Final

from gateway.openapi.headers import NOT_STORED
from gateway.openapi.problems import Responses
from gateway.openapi.schemas import EXAMPLE_PNG, Examples, Schemas, json_or_bytes
from gateway.protocols.hugging_face.messages import HuggingFaceInputs, HuggingFaceSegment
from gateway.segmentation.openapi import FACTS

_SEGMENTS: Final = [{"label": "cat", "score": 0.9512, "mask": EXAMPLE_PNG}]

BODY: Final = json_or_bytes(HuggingFaceInputs, "image/jpeg", "image/png")
RESPONSE: Final[Responses] = {
    200: {
        "headers": FACTS | NOT_STORED,
        "content": {"application/json": {"example": _SEGMENTS}},
    }
}
SCHEMAS: Final[Schemas] = ((HuggingFaceInputs, "validation"),)
EXAMPLES: Final[Examples] = {
    HuggingFaceInputs: {"inputs": EXAMPLE_PNG, "parameters": {"threshold": 0.5}},
    HuggingFaceSegment: _SEGMENTS[0],
}
