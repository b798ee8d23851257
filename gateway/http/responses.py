"""Media types and response classes that the routes share."""

from typing import Final

from starlette.responses import Response

JSON: Final = "application/json"
PNG: Final = "image/png"
# Results describe a client's image: no cache may store them.
NOT_STORED: Final = {"Cache-Control": "no-store"}


class PngResponse(Response):
    """A response with a PNG."""

    media_type = PNG
