"""Images in requests and results in answers, as the OpenAPI document describes them."""

from typing import Any, Final

from gateway.openapi import examples
from gateway.openapi.headers import CACHED, FACTS, MODEL, NOT_STORED
from gateway.openapi.problems import Responses
from gateway.openapi.schemas import BINARY, reference
from gateway.segmentation.schemas import BatchLine, SegmentationFound

_PNG: Final = {"image/png": {"schema": BINARY}}

COLOUR_MAP: Final[Responses] = {200: {"headers": FACTS | NOT_STORED, "content": _PNG}}
SEGMENTED: Final[Responses] = {
    200: {
        "headers": FACTS | NOT_STORED,
        "content": {"application/json": {"schema": reference(SegmentationFound)}} | _PNG,
    }
}
# As a whole it is text: no schema of this version of OpenAPI describes each line for itself.
_LINES: Final = {
    "type": "string",
    "contentMediaType": "application/x-ndjson",
    "contentSchema": {"type": "array", "items": reference(BatchLine)},
}
BATCH: Final[Responses] = {
    200: {
        "headers": NOT_STORED,
        "content": {"application/x-ndjson": {"schema": _LINES, "example": examples.LINES}},
    }
}
LEGEND: Final[Responses] = {
    200: {"headers": MODEL | CACHED},
    304: {"description": "The legend is the one that the client has.", "headers": MODEL | CACHED},
}


def _takes(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


_FORM: Final[dict[str, Any]] = {"multipart/form-data": {"schema": reference("ImageForm")}}
# The photograph as the body itself. The declared type is not trusted; these are the usual ones.
_BODY: Final[dict[str, Any]] = {
    kind: {"schema": BINARY} for kind in ("image/jpeg", "image/png", "application/octet-stream")
}

IMAGE_FORM: Final = _takes(_FORM)
IMAGE_FORM_OR_BODY: Final = _takes(_FORM | _BODY)
IMAGES_FORM: Final = _takes({"multipart/form-data": {"schema": reference("ImagesForm")}})
