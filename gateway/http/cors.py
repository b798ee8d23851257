"""CORS for the origins that the settings name."""

from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

# Response headers that a page's script may read.
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
    "RateLimit",
    "RateLimit-Policy",
)


class Cors(CORSMiddleware):
    """Starlette's CORS middleware, whose preflight responses are always an empty 204.

    Browsers only read the headers of a preflight response: one without an allowed origin is a
    refusal. Credentials are not allowed, because keys travel in a header that a script sets, never
    in cookies.

    excluded: beginnings of paths without CORS.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...], excluded: tuple[str, ...]) -> None:
        self._excluded = excluded
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle CORS, except for administration, which no page may use."""
        if scope["type"] == "http" and scope["path"].startswith(self._excluded):
            await self.app(scope, receive, send)
            return
        await super().__call__(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the allowed methods and headers, if the origin is allowed."""
        response = super().preflight_response(request_headers)
        headers = {n: v for n, v in response.headers.items() if not n.startswith("content-")}
        return Response(status_code=204, headers=headers)
