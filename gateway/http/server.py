"""uvicorn's HTTP/1.1 protocol with limits on a request head, and problem documents.

Malformed requests, and heads that are too long or too slow, never reach the routes.
"""

import asyncio
import re
from typing import ClassVar, Final, NoReturn

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.admission.descriptors import DescriptorLimit
from gateway.errors import (
    GatewayError,
    HeadersTooLargeError,
    MalformedHttpError,
    OverloadedError,
    UnsupportedTransferCodingError,
)
from gateway.http.problems import render_bytes

# Of a head, of a chunk header, or of the trailers.
MAX_HEAD_BYTES: Final = 64 * 1024
# From the connection, or from the first byte after a response, to the end of the head.
MAX_HEAD_S: Final = 20.0
# Time for a client to read a refusal before its connection is closed with unread data, and reset.
_LINGER_S: Final = 2.0
_END_OF_HEAD: Final = b"\r\n\r\n"
_VERSIONS: Final = ("1.0", "1.1")
# A name, an IPv4 address or a bracketed IPv6 address, and a port; RFC 9110 allows an empty one.
_HOST: Final = re.compile(rb"(?:[\w.~!$&'()*+,;=%-]*|\[[\w.~:%-]+\])(?::\d*)?")


def _too_large() -> GatewayError:
    return HeadersTooLargeError(f"The request headers exceed {MAX_HEAD_BYTES} bytes.")


class ProblemProtocol(HttpToolsProtocol):
    """uvicorn's protocol with problem documents, and limits on the size and time of a head.

    uvicorn's own keep-alive timeout starts after the first response: without a limit on the time
    of a head, a silent client would keep its connection indefinitely.

    Only HTTP/1 is supported, so a request to switch protocols (Upgrade) is ignored, as RFC 9110
    allows: Java's HttpClient and curl --http2 send it with ordinary requests.
    """

    max_head_s = MAX_HEAD_S
    _in_message = True
    _in_head = True
    _heads = 0
    _host: bytes | None = None
    _received_bytes = 0
    _uncounted_bytes = 0
    _ignores_upgrade = False
    _head_bytes = 0
    _head_end: asyncio.TimerHandle | None = None
    _refusal: GatewayError | None = None
    _is_refused = False
    _delayed: GatewayError | None = None
    _is_crowded = False
    _descriptors: ClassVar = DescriptorLimit()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first head."""
        super().connection_made(transport)
        self._await_head()
        self._is_crowded = self._descriptors.is_close(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for a head."""
        self._stop_awaiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data and limit the bytes of a head, which the parser buffers without limit."""
        if self._is_refused:
            return
        if self._head_end is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        self._unset_keepalive_if_required()
        self._received_bytes = len(data)
        try:
            if (
                self._in_head
                and self._head_bytes + len(data) > MAX_HEAD_BYTES
                # Parsing the head alone copies the data: not where it visibly ends in time.
                and data.find(_END_OF_HEAD, 0, MAX_HEAD_BYTES - self._head_bytes) < 0
            ):
                data = self._parse_head(data)
            self._head_bytes += len(data)
            self._parse(data)
            if not self._in_message:
                self._uncounted_bytes = 0  # nothing follows the request
        except HttpParserError:
            error = self._refusal or MalformedHttpError("Invalid HTTP request received.")
            if not isinstance(error, OverloadedError):
                self.logger.warning(error.detail)
            self._refuse(error)
            return
        if self._in_message and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_too_large())

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._in_message = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the body follows; its trailers are not added to the headers."""
        self._stop_awaiting()
        may_be_large = self._uncounted_bytes + self._head_bytes > MAX_HEAD_BYTES
        self._head_bytes = self._uncounted_bytes = 0
        self._ignores_upgrade = (
            self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        )
        if not self._ignores_upgrade:
            self._check_head()
            if may_be_large:
                self._check_size()
            self._in_head = False
            self._heads += 1
            super().on_headers_complete()
            self.headers = []

    def on_body(self, body: bytes) -> None:
        """Pass the body on; uploads have limits of their own."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that only another head may follow."""
        self._in_message = False
        self._in_head = True
        self._head_bytes = 0
        # The next head may begin in the data that is being parsed, at an unknown place.
        self._uncounted_bytes = self._received_bytes
        if not self._ignores_upgrade:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Refuse what followed the request, in its turn."""
        super().on_response_complete()
        if self._delayed is not None and self.cycle.response_complete:
            self._is_refused = False
            self._refuse(self._delayed)

    def send_400_response(self, msg: str) -> None:
        """Send a problem document instead of uvicorn's text."""
        self._refuse(MalformedHttpError(msg))

    def _parse_head(self, data: bytes) -> bytes:
        """Parse no more than a head may have; return the rest if a head ended in it."""
        room = MAX_HEAD_BYTES - self._head_bytes
        self._head_bytes = MAX_HEAD_BYTES
        heads = self._heads
        self._parse(data[:room])
        if self._heads == heads:
            self._reject(_too_large())
        return data[room:]

    def _check_head(self) -> None:
        """Reject heads that a proxy in front could read in another way (RFC 9112)."""
        if self._is_crowded:
            self._reject(OverloadedError("The gateway has too many connections. Try again later."))
        version = self.parser.get_http_version()
        names = [name for name, _ in self.headers]  # counted without a loop of our own
        hosts = names.count(b"host")
        if hosts:
            host = self.headers[names.index(b"host")][1]
            if host != self._host and not _HOST.fullmatch(host):
                self._reject(MalformedHttpError("The header Host is not a host."))
            self._host = host
        if b"transfer-encoding" in names:
            self._check_codings(version)
        if version not in _VERSIONS:
            self._reject(MalformedHttpError(f"HTTP/{version} is not supported. Send HTTP/1.1."))
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            self._reject(MalformedHttpError(f"One header Host is needed; there are {hosts}."))

    def _check_size(self) -> None:
        """Limit a head that began in the middle of received data, by what its fields have."""
        fields = sum(len(name) + len(value) + 3 for name, value in self.headers)
        if len(self.url) + fields > MAX_HEAD_BYTES:
            self._reject(_too_large())

    def _check_codings(self, version: str) -> None:
        lines = [value for name, value in self.headers if name == b"transfer-encoding"]
        codings = [each.strip() for line in lines for each in line.lower().split(b",")]
        if set(codings) != {b"chunked"}:
            detail = (
                "The only transfer coding that is supported is chunked. Send the body as it is."
            )
            self._reject(UnsupportedTransferCodingError(detail))
        if version == "1.0" or len(codings) > 1:
            self._reject(MalformedHttpError("A body is chunked once, and in HTTP/1.1 only."))

    def _reject(self, error: GatewayError) -> NoReturn:
        """Stop the parser; the error becomes the response."""
        self._refusal = error
        raise HttpParserError(error.detail)

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
        if self.transport.is_closing() or self._is_refused:
            return
        self._is_refused = True
        if self._in_head and self.cycle is not None and not self.cycle.response_complete:
            self._delayed = error  # it concerns the next request: this one has its response first
            return
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle or not self.cycle.response_started:
            self.transport.write(render_bytes(error))
        if is_idle and self.transport.can_write_eof():
            self.transport.write_eof()
            self._stop_awaiting()
            self.loop.call_later(_LINGER_S, self.transport.close)
        else:
            self.transport.close()
