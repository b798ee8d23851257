"""Keep-alive connections to TorchServe's inference API, over aiohttp.

For an image aiohttp takes a quarter of the CPU time that httpx takes, which was half of the
gateway's total (decision record 0027).
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import aiohttp
from yarl import URL


@dataclass(frozen=True)
class Response:
    """A complete response. headers: case-insensitive."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Timeouts in seconds: to connect, and between two reads of a response."""

    connect_s: float
    read_s: float


class Transport(Protocol):
    """A transport for requests to the inference API."""

    async def post(
        self,
        url: URL,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes | bytearray],
        timeouts: Timeouts,
    ) -> Response:
        """Send once and return the complete response; the headers contain the body's length.

        Raises aiohttp.ClientError or TimeoutError.
        """

    async def close(self) -> None:
        """Close every connection."""


@lru_cache
def _limits(timeouts: Timeouts) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(connect=timeouts.connect_s, sock_read=timeouts.read_s)


class AiohttpTransport:
    """A pool of connections, each used by one request at a time."""

    def __init__(self, keepalive_s: float) -> None:
        self._keepalive_s = keepalive_s
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self,
        url: URL,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes | bytearray],
        timeouts: Timeouts,
    ) -> Response:
        """See Transport.post."""
        # Sending has no timeout, because every caller has a deadline.
        async with self._opened().post(
            url, headers=headers, data=body, timeout=_limits(timeouts), allow_redirects=False
        ) as response:
            return Response(response.status, response.headers, await response.read())

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        # Not in the constructor: aiohttp binds a session to the running event loop.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # A restarted server may have another address.
                connector=aiohttp.TCPConnector(
                    limit=0, keepalive_timeout=self._keepalive_s, use_dns_cache=False
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
        return self._session
