"""API keys of Label Studio: legacy tokens, and refresh tokens that are exchanged for short ones."""

import asyncio
import json
import re
from typing import Final

import httpx

from gateway.errors import SourceUnavailableError
from gateway.protocols.label_studio.addresses import Origin

REFRESH: Final = "/api/token/refresh/"
_MAX_BYTES: Final = 64 * 1024
_PART: Final = r"[A-Za-z0-9_-]+"
# Not 500: Label Studio answers so if it does not know a file.
_DOWN: Final = frozenset({429, 502, 503, 504})
_JWT: Final = re.compile(rf"{_PART}\.{_PART}\.{_PART}")


class Tokens:
    """The value of the header Authorization, renewed when the server refuses it."""

    def __init__(self, client: httpx.AsyncClient, origin: Origin, key: str) -> None:
        self._client = client
        self._url = origin.url(REFRESH)
        self._key = key
        self._is_refresh_token = _JWT.fullmatch(key) is not None
        self._value = None if self._is_refresh_token else f"Token {key}"
        self._renewal = asyncio.Lock()

    async def authorization(self) -> str:
        """Return the header's value; raises SourceUnavailableError, httpx.HTTPError."""
        if self._value is None:
            return await self.renewed(None)
        return self._value

    async def renewed(self, refused: str | None) -> str:
        """Return a value other than the refused one; raises like `authorization`."""
        if not self._is_refresh_token:
            raise key_refused()
        # A lock: all images of a request find the token expired at once.
        async with self._renewal:
            if self._value is None or self._value == refused:
                self._value = f"Bearer {await self._access_token()}"
            return self._value

    async def _access_token(self) -> str:
        async with self._client.stream("POST", self._url, json={"refresh": self._key}) as response:
            raise_if_down(response)
            if response.status_code != httpx.codes.OK:
                raise key_refused()
            body = b""
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise key_refused()
        return _access_token(body)


def _access_token(body: bytes) -> str:
    try:
        token = json.loads(body)["access"]
    except (ValueError, KeyError, TypeError) as exc:
        raise key_refused() from exc
    if not isinstance(token, str) or not _JWT.fullmatch(token):
        raise key_refused()
    return token


def raise_if_down(response: httpx.Response) -> None:
    """Raise SourceUnavailableError for a status that says nothing about the request."""
    if response.status_code in _DOWN:
        raise SourceUnavailableError(
            f"Label Studio responded with status {response.status_code}. Try again later."
        )


def key_refused() -> SourceUnavailableError:
    """Return the error for a key that the server does not accept."""
    return SourceUnavailableError(
        "Label Studio refused the gateway's API key. "
        "Set SEGSERVE_GATEWAY_LABEL_STUDIO_API_KEY to a valid one."
    )
