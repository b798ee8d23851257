"""Headers, bodies and examples of the segmentation routes for the OpenAPI document."""

import json
from typing import Any, Final

from gateway.http.problems import Problem
from gateway.models.openapi import MODEL
from gateway.openapi.headers import NOT_STORED, header
from gateway.openapi.problems import Responses
from gateway.openapi.schemas import (
    ANY_BYTES,
    BINARY,
    Examples,
    Schemas,
    reference,
    request_body,
)
from gateway.segmentation.batch import MAX_FILES
from gateway.segmentation.schemas import BatchLine, SegmentationResult

_COUNTS: Final = {"type": "string", "pattern": r"^(\d+=\d+(,\d+=\d+)*)?$"}
_SHARE: Final = {"type": "number", "minimum": 0, "maximum": 1}
FACTS: Final = MODEL | {
    "X-Class-Pixels": header(
        "Pixels of each class that occurs: class id=count, ascending by id.",
        "0=195000,15=67144",
        _COUNTS,
    ),
    "X-Confidence": header("The model's mean confidence over the image.", 0.9312, _SHARE),
    "Server-Timing": header(
        "Milliseconds spent in each stage, and the number of tiles if there were any.",
        "decode;dur=3.1, infer;dur=17.0, tiles;desc=24, total;dur=25",
    ),
}

SEGMENTATION: Final[dict[str, Any]] = {
    "request_id": "3f2a9c",
    "model": "deeplabv3",
    "version": "1.0",
    "width": 4,
    "height": 3,
    "palette": "seed",
    "confidence": 0.9312,
    "classes": [
        {
            "id": 0,
            "name": "background",
            "colour": "#000000",
            "pixels": 9,
            "share": 0.75,
            "bbox": [1, 0, 3, 3],
            "mean_confidence": 0.9512,
            "rle": {"size": [3, 4], "counts": "39"},
            "polygons": [[[[4, 0], [4, 3], [1, 3], [1, 0], [4, 0]]]],
        },
        {
            "id": 15,
            "name": "person",
            "colour": "#0f78d2",
            "pixels": 3,
            "share": 0.25,
            "bbox": [0, 0, 1, 3],
            "mean_confidence": 0.8712,
            "rle": {"size": [3, 4], "counts": "039"},
            "polygons": [[[[1, 0], [1, 3], [0, 3], [0, 0], [1, 0]]]],
        },
    ],
    "mask": None,
    "timings_ms": {"decode": 3.1, "infer": 17.0, "total": 25.0},
}
_PROBLEM: Final = {
    "type": "about:blank",
    "title": "The image cannot be read",
    "status": 422,
    "detail": "The image is truncated. Send the complete file.",
    "code": "unreadable_image",
    "request_id": "3f2a9c",
}
_LINE: Final = {
    "index": 1,
    "name": "coffee.jpg",
    "status": 200,
    "result": SEGMENTATION,
    "problem": None,
}
_FAILED: Final = {
    "index": 0,
    "name": "cat.jpg",
    "status": 422,
    "result": None,
    "problem": _PROBLEM,
}
_LINES_EXAMPLE: Final = "".join(json.dumps(line) + "\n" for line in (_LINE, _FAILED))

_PNG: Final = {"image/png": {"schema": BINARY}}

COLOUR_MAP: Final[Responses] = {200: {"headers": FACTS | NOT_STORED, "content": _PNG}}
SEGMENTED: Final[Responses] = {
    200: {
        "headers": FACTS | NOT_STORED,
        "content": {"application/json": {"schema": reference(SegmentationResult)}} | _PNG,
    }
}
# The body as a whole is a string: this version of OpenAPI has no schema for each line.
_LINES: Final = {
    "type": "string",
    "contentMediaType": "application/x-ndjson",
    "contentSchema": {"type": "array", "items": reference(BatchLine)},
}
BATCH: Final[Responses] = {
    200: {
        "headers": NOT_STORED,
        "content": {"application/x-ndjson": {"schema": _LINES, "example": _LINES_EXAMPLE}},
    }
}
_FORM: Final[dict[str, Any]] = {"multipart/form-data": {"schema": reference("ImageForm")}}
# The image as the body itself. The gateway does not trust the declared type; these are common.
_BODY: Final[dict[str, Any]] = {
    kind: {"schema": BINARY} for kind in ("image/jpeg", "image/png", "application/octet-stream")
}

IMAGE_FORM: Final = request_body(_FORM)
IMAGE_FORM_OR_BODY: Final = request_body(_FORM | _BODY)
IMAGES_FORM: Final = request_body({"multipart/form-data": {"schema": reference("ImagesForm")}})

SCHEMAS: Final[Schemas] = (
    (Problem, "serialization"),
    (SegmentationResult, "serialization"),
    (BatchLine, "serialization"),
)
FORMS: Final[dict[str, dict[str, Any]]] = {
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
                "items": ANY_BYTES,  # an empty file is reported on its line
                "minItems": 1,
                "maxItems": MAX_FILES,
                "description": "The images: a field for each, all of this name.",
            }
        },
    },
}
EXAMPLES: Final[Examples] = {
    SegmentationResult: SEGMENTATION,
    BatchLine: _LINE,
    Problem: _PROBLEM,
}
