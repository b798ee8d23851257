"""Headers of every response: its request's id, and what browsers are told to forbid."""

import random
import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY: Final = "Content-Security-Policy"

_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# No response of ours loads anything; a page that does (the documentation) has its own policy.
_POLICY: Final = (
    CONTENT_SECURITY_POLICY.lower().encode(),
    b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
_SECURITY: Final = (
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    # Only for what is loaded without CORS; the origins of the settings ask with it.
    (b"cross-origin-resource-policy", b"same-origin"),
)

RawHeaders = list[tuple[bytes, bytes]]


def new_request_id() -> str:
    """A random request id, which is no secret: 32 hexadecimal digits."""
    return f"{random.getrandbits(128):032x}"


def request_id(scope: Scope) -> str:
    """The client's own id if it is harmless in a header and a log line, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return new_request_id()


def add_request_id(headers: RawHeaders, identity: str) -> None:
    """Add the request's id, and that the declared media type is not to be guessed at."""
    headers.append((b"x-request-id", identity.encode()))
    headers.append((b"x-content-type-options", b"nosniff"))


def add_security_headers(headers: RawHeaders) -> None:
    """Add the security headers; a response that has its own content policy keeps it."""
    if not any(name == _POLICY[0] for name, _ in headers):
        headers.append(_POLICY)
    headers.extend(_SECURITY)


class ResponseHeaders:
    """ASGI middleware: gives each request its id, and each response the headers of this module."""

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
