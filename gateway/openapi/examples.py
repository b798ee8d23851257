"""Requests and answers as the OpenAPI document shows them."""

import json
from typing import Any, Final

# A PNG of one pixel, so that the requests can be sent as they are.
PIXEL: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
)
LABEL_CONFIG: Final = (
    '<View><Image name="image" value="$image"/><BrushLabels name="tag" toName="image">'
    '<Label value="Cat"/></BrushLabels></View>'
)

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
LINES: Final = "".join(json.dumps(line) + "\n" for line in (_LINE, _FAILED))

_VERSION: Final = {
    "version": "1.0",
    "default": True,
    "ready": True,
    "workers": 2,
    "loaded_at": "2026-11-23T07:48:10Z",
}
_KEY: Final = {
    "id": "0f3a2b1c4d5e",
    "name": "field-app",
    "role": "user",
    "created_at": "2026-11-23T07:48:10Z",
    "rate": "600/minute",
    "concurrency": None,
}
SEGMENTS: Final = [{"label": "cat", "score": 0.9512, "mask": PIXEL}]
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

METRICS: Final = """# HELP segserve_images_total Images that were answered.
# TYPE segserve_images_total counter
segserve_images_total{model="deeplabv3",version="1.0"} 23.0
"""

# Name of a schema -> an instance of it.
BY_SCHEMA: Final[dict[str, dict[str, Any]]] = {
    "SegmentationFound": SEGMENTATION,
    "BatchLine": _LINE,
    "Problem": _PROBLEM,
    "Health": {"status": "ok"},
    "Readiness": {"status": "ready", "model": "deeplabv3", "version": "1.0", "workers": 2},
    "Models": {"models": [{"name": "deeplabv3", "default_version": "1.0", "versions": [_VERSION]}]},
    "Labels": {
        "model": "deeplabv3",
        "version": "1.0",
        "labels": [
            {
                "id": 15,
                "name": "person",
                "colours": {"seed": "#0f78d2", "voc": "#c08080", "safe": "#f1ca73"},
            }
        ],
    },
    "NewKey": {"name": "field-app", "role": "user", "rate": "600/minute", "concurrency": 4},
    "Keys": {"keys": [_KEY]},
    "ShownKey": _KEY | {"key": "sgs_0f3a2b1c4d5e_ce5f01d5b2f04e7d9b6d5c1a8e0f3b27"},
    "HuggingFaceInputs": {"inputs": PIXEL, "parameters": {"threshold": 0.5}},
    "Segment": SEGMENTS[0],
    "InferenceRequest": {
        "id": "42",
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [PIXEL]}],
        "outputs": [{"name": "mask"}],
    },
    "InferenceResponse": {
        "model_name": "deeplabv3",
        "model_version": "1.0",
        "id": "42",
        "outputs": [{"name": "mask", "datatype": "UINT8", "shape": [1, 2], "data": [0, 15]}],
    },
    "Server": {"name": "segserve", "version": "0.1.0", "extensions": ["binary_tensor_data"]},
    "Live": {"live": True},
    "Ready": {"ready": True},
    "ModelReady": {"name": "deeplabv3", "ready": True},
    "ModelMetadata": {
        "name": "deeplabv3",
        "versions": ["1.0"],
        "platform": "torchserve_mar",
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1]}],
        "outputs": [{"name": "mask", "datatype": "UINT8", "shape": [-1, -1]}],
    },
    "Up": {"status": "UP", "model_class": "deeplabv3"},
    "LabelStudioProject": {"project": "1.1764000000", "schema": LABEL_CONFIG},
    "Setup": {"model_version": "deeplabv3:1.0"},
    "LabelStudioTasks": {
        "tasks": [{"id": 1, "data": {"image": f"data:image/png;base64,{PIXEL}"}}],
        "label_config": LABEL_CONFIG,
    },
    "Predictions": {"results": [_PREDICTION], "model_version": "deeplabv3:1.0"},
}
