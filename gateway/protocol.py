"""What never becomes a request: bytes that are not HTTP, and headers without end."""

from typing import Final

from starlette.datastructures import MutableHeaders
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.errors import GatewayError, HeadersTooLargeError, MalformedHttpError, render
from gateway.protection.security_headers import protect
from gateway.telemetry.middleware import mark, new_request_id

MAX_HEAD_BYTES: Final = 64 * 1024


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
    """uvicorn's protocol with our error documents, and a limit on what it buffers of a head."""

    _in_head = True
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Counts what belongs to a head that has no end yet; the parser itself would buffer it."""
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
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Renders what the parser refuses like every other error."""
        self._refuse(MalformedHttpError(msg))

    def _refuse(self, error: GatewayError) -> None:
        if not self.transport.is_closing():
            self.transport.write(_answer(error))
            self.transport.close()
