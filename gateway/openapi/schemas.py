"""The schemas of the OpenAPI document that no route's type brings in, each under a name."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from gateway.http.problems import Problem
from gateway.protocols.hugging_face.messages import HuggingFaceInputs
from gateway.protocols.label_studio.messages import LabelStudioProject, LabelStudioTasks
from gateway.protocols.open_inference.requests import InferenceRequest
from gateway.protocols.open_inference.responses import InferenceResponse
from gateway.segmentation.batch import MAX_FILES
from gateway.segmentation.schemas import BatchLine, SegmentationFound

_REFERENCE: Final = "#/components/schemas/{model}"

ANY_BYTES: Final = {"type": "string", "format": "binary"}
BINARY: Final = ANY_BYTES | {"minLength": 1}

_MODELS: Final[list[tuple[type[BaseModel], JsonSchemaMode]]] = [
    (Problem, "serialization"),
    (SegmentationFound, "serialization"),
    (BatchLine, "serialization"),
    (InferenceResponse, "serialization"),
    (InferenceRequest, "validation"),
    (HuggingFaceInputs, "validation"),
    (LabelStudioTasks, "validation"),
    (LabelStudioProject, "validation"),
]
_FORMS: Final[dict[str, dict[str, Any]]] = {
    "ImageForm": {
        "title": "ImageForm",
        "description": "One photograph.",
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": BINARY
            | {"description": "The image, recognised by its content. Other fields are ignored."}
        },
    },
    "ImagesForm": {
        "title": "ImagesForm",
        "description": "Many photographs.",
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {
                "type": "array",
                "items": ANY_BYTES,  # an empty one has a line that says so
                "minItems": 1,
                "maxItems": MAX_FILES,
                "description": "The images: a field for each, all of this name.",
            }
        },
    },
}


def reference(name: str | type[BaseModel]) -> dict[str, str]:
    """A reference to one of these schemas."""
    return {"$ref": _REFERENCE.format(model=name if isinstance(name, str) else name.__name__)}


def definitions() -> dict[str, Any]:
    """These schemas, and those that they refer to."""
    _, found = models_json_schema(_MODELS, ref_template=_REFERENCE)
    return {**found["$defs"], **_FORMS}
