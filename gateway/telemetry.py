"""What every request leaves behind: an id on its answer and one log line without content."""

import logging
import re
import time
import uuid
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

access = logging.getLogger("gateway.access")

_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROBES: Final = frozenset({"/healthz", "/readyz"})
_MAX_PATH: Final = 200


def new_request_id() -> str:
    """An id that no other request has."""
    return uuid.uuid4().hex


def request_id(scope: Scope) -> str:
    """The client's own id if it is harmless in a header and a log line, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return new_request_id()


def mark(headers: MutableHeaders, identity: str) -> None:
    """The headers that every answer carries."""
    headers["X-Request-ID"] = identity
    headers["X-Content-Type-Options"] = "nosniff"


class Telemetry:
    """Pure ASGI middleware, because it is in the way of every byte."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lends each request its id, marks its answer, and logs it when it ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        identity = request_id(scope)
        scope.setdefault("state", {})["request_id"] = identity
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                mark(MutableHeaders(scope=message), identity)
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            _log(scope, status, time.perf_counter() - started, identity)


def _log(scope: Scope, status: int, seconds: float, identity: str) -> None:
    # The raw path: still percent-encoded, so that it cannot forge a line of its own.
    path = str(scope.get("raw_path", b"")[:_MAX_PATH], "latin-1")
    level = logging.DEBUG if scope["path"] in _PROBES else logging.INFO
    access.log(
        level, "%s %s %d %.1f ms id=%s", scope["method"], path, status, seconds * 1e3, identity
    )
