"""Hypothesis strategies for binary payloads, and an additional check.

Schemathesis imports this module as its hooks, so everything is registered at import.
"""

import base64
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, Response

from gateway.segmentation.schemas import BatchLine
from tests.schema.photographs import images

IMAGES: Final = images()
IMAGE_TYPES: Final = ("image/jpeg", "image/png")

_images = st.sampled_from(IMAGES)
_cut_short = st.builds(lambda image, end: image[:end], _images, st.integers(1, 60))
_anything = st.one_of(_images, _cut_short, st.binary(min_size=1, max_size=64))


def register(files: st.SearchStrategy[bytes]) -> None:
    """Register a strategy for every image in a request."""
    schemathesis.openapi.format("binary", files)
    schemathesis.openapi.format("byte", files.map(lambda data: base64.b64encode(data).decode()))
    for kind in IMAGE_TYPES:
        schemathesis.openapi.media_type(kind, files)


register(_anything)


@schemathesis.check
def each_line_is_a_batch_line(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Validate each line of newline-delimited JSON, which the schema describes as a whole only."""
    if "application/x-ndjson" in response.headers.get("content-type", [""])[0]:
        for line in response.content.splitlines():
            BatchLine.model_validate_json(line, strict=True)
