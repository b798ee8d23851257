"""Kept-alive connections to TorchServe, each used by one request at a time."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
import httpx
from yarl import URL

# What aiohttp says, from the special to the general, and the name that httpx has for it.
_FAILURES: Final = (
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientOSError, httpx.ReadError),
    (aiohttp.ClientError, httpx.RemoteProtocolError),
)


class Connections(httpx.AsyncBaseTransport):
    """httpx's requests and answers over aiohttp's connections.

    A request with a photograph takes 0.15 ms of the processor so, where httpx's own transport
    takes 0.6, which was half of all that the gateway does (decision record 0027).
    """

    def __init__(self, keepalive_s: float) -> None:
        self._keepalive_s = keepalive_s
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer: it is read here, so that the connection is free when this returns.

        Raises what httpx's own transport would, but has no limit on the time of sending: whoever
        asks has a deadline. A question (GET) whose connection breaks is asked once more.
        """
        with _failures(request):
            async with self._opened().request(
                request.method,
                _address(request.url),
                headers=request.headers.multi_items(),
                data=_body(request),
                timeout=_patience(request),
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
        return httpx.Response(answer.status, headers=answer.raw_headers, content=content)

    async def aclose(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        # Not in the constructor: aiohttp binds a session to the loop that runs.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # A server that comes back may have another address.
                connector=aiohttp.TCPConnector(
                    limit=0, keepalive_timeout=self._keepalive_s, use_dns_cache=False
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
        return self._session


def _address(url: httpx.URL) -> URL:
    """Without a user's name and password: httpx has made a header of them."""
    return URL(str(url.copy_with(userinfo=b"") if url.userinfo else url), encoded=True)


def _body(request: httpx.Request) -> AsyncIterator[bytes] | None:
    """Block by block; its length is among the headers."""
    if "Transfer-Encoding" in request.headers:
        raise httpx.LocalProtocolError("A body needs its length.", request=request)
    if request.headers.get("Content-Length", "0") == "0":
        return None
    stream = request.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError(stream)
    return stream.__aiter__()


def _patience(request: httpx.Request) -> aiohttp.ClientTimeout:
    limits = request.extensions.get("timeout", {})
    return aiohttp.ClientTimeout(connect=limits.get("connect"), sock_read=limits.get("read"))


@contextmanager
def _failures(request: httpx.Request) -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError) as exc:
        kind = next(name for special, name in _FAILURES if isinstance(exc, special))
        raise kind(str(exc), request=request) from exc
