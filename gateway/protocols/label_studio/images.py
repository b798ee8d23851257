"""Client of the Label Studio server: fetches the images of tasks, and nothing else."""

import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx

from gateway.admission.upload_budget import Upload
from gateway.errors import (
    InvalidRequestError,
    OverloadedError,
    SourceUnavailableError,
    UnreadableImageError,
)
from gateway.http.uploads import too_large
from gateway.protocols.label_studio.addresses import Origin
from gateway.protocols.label_studio.tokens import Tokens, key_refused, raise_if_down

# Connections to the server: its own web server has few threads.
_CONNECTIONS: Final = 8
# Without coding, the bytes are those that count.
_HEADERS: Final = {"Accept": "*/*", "Accept-Encoding": "identity"}


class Images:
    """The images of the one Label Studio server, fetched with its API key."""

    def __init__(
        self,
        origin: Origin,
        key: str,
        connect_s: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.origin = origin
        # No redirects, no cookies, no proxies: nothing but the server itself is ever asked.
        self._client = httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            verify=_tls(origin),
            headers=_HEADERS,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            limits=httpx.Limits(max_connections=_CONNECTIONS),
            timeout=httpx.Timeout(None, connect=connect_s),
        )
        self._tokens = Tokens(self._client, origin, key)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def fetch(self, path: str, image: Upload, max_bytes: int) -> None:
        """Read a file of the server into an upload.

        path: from `path_of`. Raises ImageTooLargeError, OverloadedError if the upload budget is
        spent, SourceUnavailableError if no image can be fetched now, and InvalidRequestError or
        UnreadableImageError for errors of this image.
        """
        try:
            await self._try(path, image, max_bytes)
        except httpx.TransportError:  # often a kept connection that the server has just closed
            image.clear()
            await self._last_try(path, image, max_bytes)

    async def _last_try(self, path: str, image: Upload, max_bytes: int) -> None:
        try:
            await self._try(path, image, max_bytes)
        except httpx.TransportError as exc:
            raise SourceUnavailableError(
                f"Label Studio at {self.origin.url('')} does not respond. "
                "Check its address in SEGSERVE_GATEWAY_LABEL_STUDIO_URL."
            ) from exc

    async def _try(self, path: str, image: Upload, max_bytes: int) -> None:
        token = await self._tokens.authorization()
        if not await self._read(path, token, image, max_bytes):
            token = await self._tokens.renewed(refused=token)
            if not await self._read(path, token, image, max_bytes):
                raise key_refused()

    async def _read(self, path: str, token: str, image: Upload, max_bytes: int) -> bool:
        """Read a file; returns False if the server refuses the token."""
        headers = {"Authorization": token}
        async with self._client.stream("GET", self.origin.url(path), headers=headers) as response:
            if response.status_code == httpx.codes.UNAUTHORIZED:
                return False
            _check(response)
            length = response.headers.get("Content-Length", "")
            if length.isdecimal() and int(length[:20]) > max_bytes:
                raise too_large(max_bytes)
            async for chunk in response.aiter_raw():
                _append(chunk, image, max_bytes)
        if not image.size:
            raise UnreadableImageError("The image is empty. Send an image.")
        return True


def _append(chunk: bytes, image: Upload, max_bytes: int) -> None:
    if image.size + len(chunk) > max_bytes:
        raise too_large(max_bytes)
    try:
        image.append(memoryview(chunk))
    except OverloadedError:
        image.clear()  # now, not once the connection is closed: others need the memory
        raise


def _check(response: httpx.Response) -> None:
    """Raise the error for a response without an image."""
    raise_if_down(response)
    status = response.status_code
    if response.is_redirect:
        raise InvalidRequestError(
            f"Label Studio redirects this image elsewhere (status {status}), which is not followed."
        )
    if status != httpx.codes.OK:
        raise InvalidRequestError(
            f"Label Studio did not send this image (status {status}): it is not there, or the "
            "owner of the API key may not see it."
        )
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnreadableImageError("Label Studio sent this image compressed. Send it as it is.")


def _tls(origin: Origin) -> ssl.SSLContext | bool:
    """Certificates as everywhere: those of SSL_CERT_FILE, if it is set."""
    return httpx.create_ssl_context() if origin.scheme == "https" else False
