"""What browsers are told to forbid to whoever embeds, frames or runs one of our answers."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY: Final = "Content-Security-Policy"

# Nothing that we answer loads anything; a page that does (the documentation) has its own policy.
_POLICY: Final = (
    CONTENT_SECURITY_POLICY.lower().encode(),
    b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
_ALWAYS: Final = (
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    # Only for what is loaded without CORS; the origins of the settings ask with it.
    (b"cross-origin-resource-policy", b"same-origin"),
)

RawHeaders = list[tuple[bytes, bytes]]


def protect(headers: RawHeaders) -> None:
    """Adds the headers to those of an answer, which keeps a policy of its own."""
    if not any(name == _POLICY[0] for name, _ in headers):
        headers.append(_POLICY)
    headers.extend(_ALWAYS)


class SecurityHeaders:
    """Pure ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Protects the answer of a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = list(message["headers"])
                protect(message["headers"])
            await send(message)

        await self._app(scope, receive, answer)
