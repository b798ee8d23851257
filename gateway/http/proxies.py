"""Reverse proxies in front of the gateway: the client's address and the path prefix."""

import re
from typing import Any, Final, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")


class Proxies:
    """ASGI middleware: apply the headers of trusted proxies, and remove the path prefix.

    trusted: addresses and networks whose X-Forwarded-For, -Proto and -Prefix are believed.
    prefix: the path under which a proxy publishes the gateway, such as /segserve.
    """

    def __init__(self, app: ASGIApp, trusted: tuple[str, ...], prefix: str | None) -> None:
        # uvicorn and Starlette describe the same interface by different types.
        forwarded = ProxyHeadersMiddleware(cast("Any", app), list(trusted))
        self._trusted = forwarded.trusted_hosts
        self._app: ASGIApp = cast("Any", forwarded) if trusted else app
        self._prefix = prefix or ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as a client without a proxy would have sent it."""
        if scope["type"] == "http":
            # Proxies may or may not remove the prefix; access rules and routes know none.
            if self._prefix and scope["path"].startswith(f"{self._prefix}/"):
                scope["path"] = scope["path"][len(self._prefix) :]
                scope["raw_path"] = scope["raw_path"][len(self._prefix) :]
            if scope["path"] == "/openapi.json":
                # For its `servers`. Elsewhere Starlette would remove it from similar paths.
                scope["root_path"] = self._forwarded_prefix(scope) or self._prefix
        await self._app(scope, receive, send)

    def _forwarded_prefix(self, scope: Scope) -> str:
        """Return the prefix that a trusted proxy has removed; empty if it names none."""
        client = scope.get("client")
        if not client or client[0] not in self._trusted:
            return ""
        headers = dict(scope["headers"])
        prefix = str(headers.get(b"x-forwarded-prefix", b""), "latin-1").rstrip("/")
        return prefix if PREFIX.fullmatch(prefix) else ""
