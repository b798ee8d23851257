"""What the routes' answers have in common."""

from typing import Final

from starlette.responses import Response

JSON: Final = "application/json"
PNG: Final = "image/png"
# What is said about a photograph is nobody's to keep.
NOT_STORED: Final = {"Cache-Control": "no-store"}


class PngResponse(Response):
    """An answer that is an image."""

    media_type = PNG
