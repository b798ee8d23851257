"""Headers and examples of the models routes for the OpenAPI document."""

from typing import Final

from gateway.masks.palettes import PALETTES
from gateway.models.schemas import Labels, Models
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

EXAMPLES: Final[Examples] = {
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
