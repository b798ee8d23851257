"""Headers of every response: the request id and the security headers."""

import random
import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY: Final = "Content-Security-Policy"

_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# No response loads other resources, except the documentation page, which has its own policy.
_POLICY: Final = (
    CONTENT_SECURITY_POLICY.lower().encode(),
    b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
_SECURITY: Final = (
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    # Applies to loads without CORS only; the origins in the settings use CORS.
    (b"cross-origin-resource-policy", b"same-origin"),
)

RawHeaders = list[tuple[bytes, bytes]]


def new_request_id() -> str:
    """Return a random request id of 32 hexadecimal digits; it is no secret."""
    return f"{random.getrandbits(128):032x}"


def request_id(scope: Scope) -> str:
    """Return the client's own id if it is safe in a header and a log line, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return new_request_id()


def add_request_id(headers: RawHeaders, identity: str) -> None:
    """Add X-Request-ID, and X-Content-Type-Options against media type sniffing."""
    headers.append((b"x-request-id", identity.encode()))
    headers.append((b"x-content-type-options", b"nosniff"))


def add_security_headers(headers: RawHeaders) -> None:
    """Add the security headers; a content security policy of the response's own is kept."""
    if not any(name == _POLICY[0] for name, _ in headers):
        headers.append(_POLICY)
    headers.extend(_SECURITY)


class ResponseHeaders:
    """ASGI middleware: give each request an id and add the headers to each response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with ``state["request_id"]`` set."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = request_id(scope)
        scope.setdefault("state", {})["request_id"] = identity

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = headers = list(message["headers"])
                add_security_headers(headers)
                add_request_id(headers, identity)
            await send(message)

        await self._app(scope, receive, send_with_headers)
