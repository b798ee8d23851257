"""Bodies and examples of the Open Inference routes for the OpenAPI document."""

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
from gateway.protocols.open_inference.metadata import (
    OpenInferenceLive,
    OpenInferenceModelMetadata,
    OpenInferenceModelReady,
    OpenInferenceReady,
    OpenInferenceServer,
)
from gateway.protocols.open_inference.repository import OpenInferenceRepositoryRequest
from gateway.protocols.open_inference.requests import HEADER_LENGTH, OpenInferenceRequest
from gateway.protocols.open_inference.responses import OpenInferenceResponse
from gateway.protocols.open_inference.statistics import OpenInferenceStatistics
from gateway.segmentation.openapi import FACTS

_LENGTH: Final = {
    "description": "Bytes of the JSON that the body begins with, if binary tensors follow it.",
    # Not an example of the header itself: the page at /docs would send it.
    "schema": {"type": "integer", "minimum": 1, "examples": [186]},
}
INFERENCE: Final = json_or_bytes(OpenInferenceRequest, "application/octet-stream") | {
    "parameters": [_LENGTH | {"name": HEADER_LENGTH, "in": "header", "required": False}]
}
INFERRED: Final[Responses] = {
    200: {
        "headers": FACTS | NOT_STORED | {HEADER_LENGTH: _LENGTH},
        "content": {
            "application/json": {"schema": reference(OpenInferenceResponse)},
            "application/octet-stream": {"schema": BINARY},
        },
    }
}

# After 23 images.
_STATISTICS: Final = {
    "name": "deeplabv3",
    "version": "1.0",
    "last_inference": 1767225600000,
    "inference_count": 23,
    "execution_count": 23,
    "inference_stats": {
        "success": {"count": 23, "ns": 920000000},
        "fail": {"count": 0, "ns": 0},
        "queue": {"count": 23, "ns": 1150000},
        "compute_input": {"count": 23, "ns": 99000000},
        "compute_infer": {"count": 23, "ns": 506000000},
        "compute_output": {"count": 23, "ns": 34500000},
    },
    "batch_stats": [],
}
INDEX: Final[Responses] = {
    200: {
        "content": {
            "application/json": {
                "example": [{"name": "deeplabv3", "version": "1.0", "state": "READY", "reason": ""}]
            }
        }
    }
}

SCHEMAS: Final[Schemas] = (
    (OpenInferenceResponse, "serialization"),
    (OpenInferenceRequest, "validation"),
)
EXAMPLES: Final[Examples] = {
    OpenInferenceRequest: {
        "id": "42",
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [EXAMPLE_PNG]}],
        "outputs": [{"name": "mask"}],
    },
    OpenInferenceResponse: {
        "model_name": "deeplabv3",
        "model_version": "1.0",
        "id": "42",
        "outputs": [{"name": "mask", "datatype": "UINT8", "shape": [1, 2], "data": [0, 15]}],
    },
    OpenInferenceServer: {
        "name": "segserve",
        "version": VERSION,
        "extensions": ["binary_tensor_data", "statistics"],
    },
    OpenInferenceRepositoryRequest: {"ready": True},
    OpenInferenceStatistics: {"model_stats": [_STATISTICS]},
    OpenInferenceLive: {"live": True},
    OpenInferenceReady: {"ready": True},
    OpenInferenceModelReady: {"name": "deeplabv3", "ready": True},
    OpenInferenceModelMetadata: {
        "name": "deeplabv3",
        "versions": ["1.0"],
        "platform": "torchserve_mar",
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1]}],
        "outputs": [{"name": "mask", "datatype": "UINT8", "shape": [-1, -1]}],
    },
}
