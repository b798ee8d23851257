"""What Schemathesis sends where the OpenAPI document says binary, and what it checks besides.

Schemathesis imports this as its hooks; so what is registered is registered at import.
"""

import base64
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, Response

from gateway.segmentation.schemas import BatchLine
from tests.schema.photographs import photographs

PHOTOGRAPHS: Final = photographs()
IMAGE_TYPES: Final = ("image/jpeg", "image/png")

_images = st.sampled_from(PHOTOGRAPHS)
_cut_short = st.builds(lambda image, end: image[:end], _images, st.integers(1, 60))
_anything = st.one_of(_images, _cut_short, st.binary(min_size=1, max_size=64))


def register(files: st.SearchStrategy[bytes]) -> None:
    """Sends these wherever an image is expected."""
    schemathesis.openapi.format("binary", files)
    schemathesis.openapi.format("byte", files.map(lambda data: base64.b64encode(data).decode()))
    for kind in IMAGE_TYPES:
        schemathesis.openapi.media_type(kind, files)


register(_anything)


@schemathesis.check
def each_line_is_a_batch_line(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Newline-delimited JSON: a schema describes the text as a whole, not its lines."""
    if "application/x-ndjson" in response.headers.get("content-type", [""])[0]:
        for line in response.content.splitlines():
            BatchLine.model_validate_json(line, strict=True)
