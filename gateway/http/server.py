"""uvicorn's HTTP/1.1 protocol with limits on a request head, and problem documents.

Malformed requests, and heads that are too long or too slow, never reach the routes.
"""

import asyncio
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.errors import GatewayError, HeadersTooLargeError, MalformedHttpError
from gateway.http.problems import render
from gateway.http.response_headers import (
    add_request_id,
    add_security_headers,
    new_request_id,
)

# Of a head, of a chunk header, or of the trailers.
MAX_HEAD_BYTES: Final = 64 * 1024
# From the connection, or from the first byte after a response, to the end of the head.
MAX_HEAD_S: Final = 20.0


def _problem_bytes(error: GatewayError) -> bytes:
    identity = new_request_id()
    response = render(error, identity)
    headers = response.raw_headers
    add_request_id(headers, identity)
    headers.append((b"connection", b"close"))
    add_security_headers(headers)
    lines = [name + b": " + value + b"\r\n" for name, value in headers]
    return b"".join((STATUS_LINE[error.status], *lines, b"\r\n", bytes(response.body)))


class ProblemProtocol(HttpToolsProtocol):
    """uvicorn's protocol with problem documents, and limits on the size and time of a head.

    uvicorn's own keep-alive timeout starts after the first response: without a limit on the time
    of a head, a silent client would keep its connection indefinitely.

    Only HTTP/1 is supported, so a request to switch protocols (Upgrade) is ignored, as RFC 9110
    allows: Java's HttpClient and curl --http2 send it with ordinary requests.
    """

    max_head_s = MAX_HEAD_S
    _in_message = True
    _ignores_upgrade = False
    _head_bytes = 0
    _head_end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for a head."""
        self._stop_awaiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data and limit the bytes of a head, which the parser buffers without limit."""
        if self._head_end is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")
            return
        if self._in_message and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(
                HeadersTooLargeError(f"The request headers exceed {MAX_HEAD_BYTES} bytes.")
            )

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._in_message = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the body follows; its trailers are not added to the headers."""
        self._stop_awaiting()
        self._head_bytes = 0
        self._ignores_upgrade = (
            self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        )
        if not self._ignores_upgrade:
            super().on_headers_complete()
            self.headers = []

    def on_body(self, body: bytes) -> None:
        """Pass the body on; uploads have limits of their own."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that only another head may follow."""
        self._in_message = False
        self._head_bytes = 0
        if not self._ignores_upgrade:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Send a problem document instead of uvicorn's text."""
        self._refuse(MalformedHttpError(msg))

    def _parse(self, data: bytes | memoryview) -> None:
        # A loop instead of recursion: one chunk of data may hold a thousand such requests.
        while True:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                if not self._ignores_upgrade:
                    self.cycle.keep_alive = False  # CONNECT: the data that follows is not a request
                    return
                data = memoryview(data)[upgrade.args[0] :]
                self._repeat_head()
            else:
                return

    def _repeat_head(self) -> None:
        """Parse the head again without Upgrade: with it, the parser does not accept a body."""
        lines = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        version = self.parser.get_http_version().encode()
        start = self.parser.get_method() + b" " + self.url + b" HTTP/" + version
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.parser.feed_data(b"\r\n".join((start, *lines, b"\r\n")))

    def _await_head(self) -> None:
        self._head_end = self.loop.call_later(self.max_head_s, self.transport.close)

    def _stop_awaiting(self) -> None:
        if self._head_end is not None:
            self._head_end.cancel()
            self._head_end = None

    def _refuse(self, error: GatewayError) -> None:
        if self.transport.is_closing():
            return
        responding = self.cycle is not None and self.cycle.response_started
        if not responding or self.cycle.response_complete:
            self.transport.write(_problem_bytes(error))
        self.transport.close()
