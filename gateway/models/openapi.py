"""Headers and examples of the models routes for the OpenAPI document."""

from typing import Final

from gateway.masks.palettes import PALETTES
from gateway.models.schemas import Labels, Models, ModelVersionDetail
from gateway.openapi.headers import header
from gateway.openapi.problems import Responses
from gateway.openapi.schemas import Examples

MODEL: Final = {
    "X-Model": header("The model that answered.", "deeplabv3"),
    "X-Model-Version": header("The version of it that answered.", "1.0"),
}
CACHED: Final = {
    "ETag": header("Of this legend; send it as If-None-Match.", '"9f86d081884c7d65"'),
    "Cache-Control": header("To be asked for anew each time.", "no-cache"),
}

LABELS: Final[Responses] = {
    200: {"headers": MODEL | CACHED},
    304: {"description": "The legend is the one that the client has.", "headers": MODEL | CACHED},
}

_VERSION: Final = {
    "version": "1.0",
    "default": True,
    "ready": True,
    "workers": 2,
    "loaded_at": "2026-11-23T07:48:10Z",
}

_DETAIL: Final = {
    "model": "deeplabv3",
    "version": "1.0",
    "architecture": "deeplabv3_efficientnet_lite0",
    "engine": "openvino",
    "precision": "bf16",
    "output": "logits",
    "threshold": None,
    "weights": "the user's checkpoint cracks.pth",
    "weights_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "built": "2026-11-23T07:40:02Z",
    "libraries": {"torch": "2.13.0"},
    "input": {
        "fit": "long_side",
        "long_side": 481,
        "short_side": None,
        "width": None,
        "height": None,
        "multiple": 1,
        "interpolation": "bilinear",
        "channels": "rgb",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "sources": {"size": "--size"},
    },
    "proof": {"agreement": 0.9991, "photographs": {"cat.jpg": 0.9991}, "warning": None},
    "card": {
        "name": "Cracks",
        "purpose": "Finds cracks in photographs of concrete.",
        "limits": None,
        "author": None,
        "licence": "CC-BY-4.0",
        "changes": None,
        "examples": [],
        "classes": [{"id": 1, "name": "crack", "display_name": "Crack", "colour": "#d55e00"}],
    },
}

EXAMPLES: Final[Examples] = {
    ModelVersionDetail: _DETAIL,
    Models: {"models": [{"name": "deeplabv3", "default_version": "1.0", "versions": [_VERSION]}]},
    Labels: {
        "model": "deeplabv3",
        "version": "1.0",
        "labels": [
            {
                "id": 15,
                "name": "person",
                "colours": {key: palette.hex_colour(15) for key, palette in PALETTES.items()},
            }
        ],
    },
}
