"""Lets pages of other origins ask, those that the settings name."""

from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

# What a page's script may read of an answer, beside its body.
EXPOSED: Final = (
    "X-Request-ID",
    "X-Model",
    "X-Model-Version",
    "X-Class-Pixels",
    "X-Confidence",
    "Server-Timing",
    "ETag",
    "Inference-Header-Content-Length",
    "Retry-After",
)


class Cors(CORSMiddleware):
    """Starlette's, whose refusals are not answers of a kind of their own.

    A browser obeys the headers and shows nobody the text, so a refusal is an answer without them.
    Keys travel in a header that a script sets, never as cookies: credentials are not allowed.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a page may send, if its origin may send anything."""
        found = super().preflight_response(request_headers)
        headers = {n: v for n, v in found.headers.items() if not n.startswith("content-")}
        return Response(status_code=204, headers=headers)
