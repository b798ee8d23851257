"""Bodies and examples of the Label Studio routes for the OpenAPI document."""

from typing import Final

from gateway.models.openapi import MODEL
from gateway.openapi.headers import NOT_STORED
from gateway.openapi.problems import Responses
from gateway.openapi.schemas import EXAMPLE_PNG, Examples, Schemas, json_or_bytes
from gateway.protocols.label_studio.messages import (
    LabelStudioHealth,
    LabelStudioPredictions,
    LabelStudioProject,
    LabelStudioSetup,
    LabelStudioTasks,
)

LABEL_CONFIG: Final = (
    '<View><Image name="image" value="$image"/><BrushLabels name="tag" toName="image">'
    '<Label value="Cat"/></BrushLabels></View>'
)
_STROKE: Final = {"format": "rle", "rle": [0, 0, 0, 4, 99, 12, 0], "brushlabels": ["Cat"]}
_REGION: Final = {
    "id": "class-8",
    "from_name": "tag",
    "to_name": "image",
    "type": "brushlabels",
    "original_width": 1,
    "original_height": 1,
    "image_rotation": 0,
    "value": _STROKE,
    "score": 0.8712,
}
_PREDICTION: Final = {
    "result": [_REGION],
    "score": 0.9312,
    "model_version": "deeplabv3:1.0",
    "error": None,
}

PROJECT: Final = json_or_bytes(LabelStudioProject)
TASKS: Final = json_or_bytes(LabelStudioTasks)
# Only the headers: the body's schema comes from the types of the routes.
CONNECTED: Final[Responses] = {200: {"headers": MODEL}}
PREDICTED: Final[Responses] = {200: {"headers": MODEL | NOT_STORED}}

SCHEMAS: Final[Schemas] = (
    (LabelStudioTasks, "validation"),
    (LabelStudioProject, "validation"),
)
EXAMPLES: Final[Examples] = {
    LabelStudioHealth: {"status": "UP", "model_class": "deeplabv3"},
    LabelStudioProject: {"project": "1.1764000000", "schema": LABEL_CONFIG},
    LabelStudioSetup: {"model_version": "deeplabv3:1.0"},
    LabelStudioTasks: {
        "tasks": [{"id": 1, "data": {"image": f"data:image/png;base64,{EXAMPLE_PNG}"}}],
        "label_config": LABEL_CONFIG,
    },
    LabelStudioPredictions: {"results": [_PREDICTION], "model_version": "deeplabv3:1.0"},
}
