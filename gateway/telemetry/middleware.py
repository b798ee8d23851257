"""Metrics and an access log line for every request, without its content."""

import logging
import time
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import InternalError
from gateway.route_policy import policy_of, route_template
from gateway.telemetry import tracing
from gateway.telemetry.metrics import Metrics

access = logging.getLogger("gateway.access")

_MAX_PATH: Final = 200


class Telemetry:
    """ASGI middleware: measure and log requests; only ResponseHeaders is further out."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, is_traced: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._is_traced = is_traced

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request, pass it on, and record it when its response has ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, is_traced=self._is_traced)
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:  # Starlette handles unexpected ones outside of every middleware
            exchange.state["error_code"] = InternalError.code
            raise
        finally:
            self._ended(exchange)

    def _ended(self, exchange: "_Exchange") -> None:
        scope, now = exchange.scope, time.perf_counter()
        route, seconds = route_template(scope), now - exchange.started
        self._metrics.ended(route, scope["method"], exchange.status, seconds)
        if code := exchange.state.get("error_code"):
            self._metrics.failed(code)
        if exchange.is_result and exchange.model and exchange.version:
            sending = now - exchange.response_started_at
            self._metrics.images.of(exchange.model, exchange.version).stage("write", sending)
        _log(exchange, route, seconds)


class _Exchange:
    """One request and its response, observed as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, is_traced: bool) -> None:
        self.is_traced = is_traced
        self.started = time.perf_counter()
        self.response_started_at = self.started
        self.scope = scope
        self.state: dict[str, Any] = scope["state"]
        self.identity: str = self.state["request_id"]
        self.status = 500
        self.bytes_in = self.bytes_out = 0
        self.is_result = False
        self.model: str | None = None
        self.version: str | None = None
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """Count the bytes of the request body."""
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Note the start of the response and count the bytes of its body."""
        if message["type"] == "http.response.start":
            self._start(message)
        else:
            self.bytes_out += len(message.get("body", b""))
        await self._send(message)

    def _start(self, message: Message) -> None:
        self.response_started_at = time.perf_counter()
        self.status = message["status"]
        for name, value in message["headers"]:
            if name == b"x-model":
                self.model = value.decode("latin-1")
            elif name == b"x-model-version":
                self.version = value.decode("latin-1")
            elif name == b"x-class-pixels":
                self.is_result = True
        if self.is_traced:
            self._annotate()

    def _annotate(self) -> None:
        tracing.annotate(
            {
                "segserve.request_id": self.identity,
                "segserve.model": self.model,
                "segserve.version": self.version,
                "segserve.error_code": self.state.get("error_code"),
            }
        )


def _log(exchange: _Exchange, route: str, seconds: float) -> None:
    scope = exchange.scope
    level = logging.DEBUG if policy_of(scope["path"]).probe else logging.INFO
    if not access.isEnabledFor(level):
        return
    # The raw path is percent-encoded, so it cannot forge a second line.
    path = str(scope.get("raw_path", b"")[:_MAX_PATH], "latin-1")
    fields = {
        "method": scope["method"],
        "path": path,
        "route": route,
        "status": exchange.status,
        "duration_ms": round(seconds * 1e3, 1),
        "request_id": exchange.identity,
        "bytes_in": exchange.bytes_in,
        "bytes_out": exchange.bytes_out,
        "model": exchange.model,
        "version": exchange.version,
        "code": exchange.state.get("error_code"),
        "key_id": getattr(exchange.state.get("principal"), "id", None),
        "trace_id": tracing.trace_id() if exchange.is_traced else None,
    }
    extra = {name: value for name, value in fields.items() if value is not None}
    line = "%(method)s %(path)s %(status)d %(duration_ms).1f ms id=%(request_id)s"
    access.log(level, line, fields, extra=extra)
