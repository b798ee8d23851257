"""Kept-alive connections to TorchServe, each used by one request at a time."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Answer:
    """A whole answer. headers: whatever the case of their names."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How many seconds may pass until a connection stands, and between two bytes of an answer."""

    connect_s: float
    read_s: float


class Transport(httpx.AsyncBaseTransport, ABC):
    """What carries the gateway's requests to TorchServe: httpx's questions, and our own bodies."""

    @abstractmethod
    async def post(
        self, url: URL, headers: Mapping[str, str], body: AsyncIterator[bytes], patience: Patience
    ) -> Answer:
        """The whole answer, without httpx's requests and answers, which take a tenth of our time.

        The length of the body is among the headers. Raises httpx.HTTPError.
        """


class Connections(Transport):
    """Over aiohttp's: for a photograph they take 0.15 ms of the processor, httpx's own 0.6.

    That was half of all that the gateway does (decision record 0027).
    """

    def __init__(self, keepalive_s: float) -> None:
        self._keepalive_s = keepalive_s
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer: it is read here, so that the connection is free when this returns.

        For questions (GET) only, whose connection is made anew if it breaks. Raises what httpx's
        own transport would.
        """
        if request.method != "GET":
            raise httpx.UnsupportedProtocol("Bodies are sent by post.", request=request)
        with _failures(request):
            async with self._opened().get(
                _address(request.url),
                headers=request.headers.multi_items(),
                timeout=_patience(request),
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
        return httpx.Response(answer.status, headers=answer.raw_headers, content=content)

    async def post(
        self, url: URL, headers: Mapping[str, str], body: AsyncIterator[bytes], patience: Patience
    ) -> Answer:
        """Sends once, and without a limit on the time of sending: whoever asks has a deadline."""
        limits = aiohttp.ClientTimeout(connect=patience.connect_s, sock_read=patience.read_s)
        with _failures():
            async with self._opened().post(
                url, headers=headers, data=body, timeout=limits, allow_redirects=False
            ) as answer:
                return Answer(answer.status, answer.headers, await answer.read())

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


def _patience(request: httpx.Request) -> aiohttp.ClientTimeout:
    limits = request.extensions.get("timeout", {})
    return aiohttp.ClientTimeout(connect=limits.get("connect"), sock_read=limits.get("read"))


@contextmanager
def _failures(request: httpx.Request | None = None) -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError) as exc:
        kind = next(name for special, name in _FAILURES if isinstance(exc, special))
        raise kind(str(exc), request=request) from exc
