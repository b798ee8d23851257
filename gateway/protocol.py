"""What never becomes a request: bytes that are not HTTP, headers without end, and silence."""

import asyncio
from typing import Final

from starlette.datastructures import MutableHeaders
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.errors import GatewayError, HeadersTooLargeError, MalformedHttpError, render
from gateway.protection.security_headers import protect
from gateway.telemetry.middleware import mark, new_request_id

MAX_HEAD_BYTES: Final = 64 * 1024
# From the connection, or from the first byte after an answer, to the end of the head.
MAX_HEAD_S: Final = 20.0


def _answer(error: GatewayError) -> bytes:
    identity = new_request_id()
    response = render(error, identity)
    headers = MutableHeaders(raw=response.raw_headers)
    mark(headers, identity)
    headers["Connection"] = "close"
    protect(headers.raw)
    lines = [name + b": " + value + b"\r\n" for name, value in headers.raw]
    return b"".join((STATUS_LINE[error.status], *lines, b"\r\n", bytes(response.body)))


class ProblemProtocol(HttpToolsProtocol):
    """uvicorn's protocol with our error documents, and limits on the size and time of a head.

    Without the one on time, a client that is silent, or all but silent, keeps its connection for
    ever: uvicorn's own applies to those only that have had an answer.
    """

    max_head_s = MAX_HEAD_S
    _in_head = True
    _head_bytes = 0
    _head_end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head is awaited."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._stop_awaiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what belongs to a head that has no end yet; the parser itself would buffer it."""
        if self._head_end is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(
                HeadersTooLargeError(f"The request headers exceed {MAX_HEAD_BYTES} bytes.")
            )

    def on_message_begin(self) -> None:
        """A new head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is over; what follows is a body."""
        self._stop_awaiting()
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Renders what the parser refuses like every other error."""
        self._refuse(MalformedHttpError(msg))

    def _await_head(self) -> None:
        self._head_end = self.loop.call_later(self.max_head_s, self.transport.close)

    def _stop_awaiting(self) -> None:
        if self._head_end is not None:
            self._head_end.cancel()
            self._head_end = None

    def _refuse(self, error: GatewayError) -> None:
        if not self.transport.is_closing():
            self.transport.write(_answer(error))
            self.transport.close()
