"""The OpenAPI document's part about the Open Inference Protocol."""

from typing import Final

from gateway.openapi.headers import NOT_STORED
from gateway.openapi.problems import Responses
from gateway.openapi.schemas import (
    BINARY,
    EXAMPLE_PNG,
    Examples,
    Schemas,
    json_or_bytes,
    reference,
)
from gateway.openapi.version import VERSION
from gateway.protocols.open_inference.metadata import Live, ModelMetadata, ModelReady, Ready, Server
from gateway.protocols.open_inference.requests import HEADER_LENGTH, InferenceRequest
from gateway.protocols.open_inference.responses import InferenceResponse
from gateway.segmentation.openapi import FACTS

_LENGTH: Final = {
    "description": "Bytes of the JSON that the body begins with, if binary tensors follow it.",
    # Not as an example of the header itself: the page at /docs would send it.
    "schema": {"type": "integer", "minimum": 1, "examples": [186]},
}
INFERENCE: Final = json_or_bytes(InferenceRequest, "application/octet-stream") | {
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

SCHEMAS: Final[Schemas] = (
    (InferenceResponse, "serialization"),
    (InferenceRequest, "validation"),
)
EXAMPLES: Final[Examples] = {
    InferenceRequest: {
        "id": "42",
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [EXAMPLE_PNG]}],
        "outputs": [{"name": "mask"}],
    },
    InferenceResponse: {
        "model_name": "deeplabv3",
        "model_version": "1.0",
        "id": "42",
        "outputs": [{"name": "mask", "datatype": "UINT8", "shape": [1, 2], "data": [0, 15]}],
    },
    Server: {"name": "segserve", "version": VERSION, "extensions": ["binary_tensor_data"]},
    Live: {"live": True},
    Ready: {"ready": True},
    ModelReady: {"name": "deeplabv3", "ready": True},
    ModelMetadata: {
        "name": "deeplabv3",
        "versions": ["1.0"],
        "platform": "torchserve_mar",
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1]}],
        "outputs": [{"name": "mask", "datatype": "UINT8", "shape": [-1, -1]}],
    },
}
