"""Keep-alive connections to TorchServe's inference API, over aiohttp, and TorchServe's tokens.

For an image aiohttp takes a quarter of the CPU time that httpx takes, which was half of the
gateway's total (decision record 0027).
"""

import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, Protocol, get_args

import aiohttp
from yarl import URL

Api = Literal["inference", "management"]

_NONE: Final[dict[str, str]] = {}
# Seconds between two looks at the file of the tokens: a restart takes longer.
_LOOK_S: Final = 0.5


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


class Tokens:
    """The tokens of both APIs, read again when the file has changed: a restart makes new ones."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._state: tuple[int, int] | None = None
        self._looked_at = float("-inf")
        self._headers: dict[str, dict[str, str]] = {}

    def headers(self, api: Api) -> dict[str, str]:
        """Return the header with the token; empty without a file, which TorchServe refuses."""
        if self._path is None:
            return _NONE
        now = time.monotonic()
        if self._headers and now - self._looked_at < _LOOK_S:
            return self._headers.get(api, _NONE)
        try:
            self._looked_at = now
            status = self._path.stat()
            if (state := (status.st_mtime_ns, status.st_ino)) != self._state:
                self._headers = _read(self._path)
                self._state = state
        except (OSError, ValueError, KeyError, TypeError):
            # TorchServe is starting, and the file is missing or incomplete.
            return _NONE
        return self._headers.get(api, _NONE)


def _read(path: Path) -> dict[str, dict[str, str]]:
    content = json.loads(path.read_text())
    return {api: {"Authorization": f"Bearer {content[api]['key']}"} for api in get_args(Api)}
