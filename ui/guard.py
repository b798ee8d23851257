"""The page's boundary to other sites: own names, own pages, and no frames."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS: Final = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# What the page in the browser and probes need of Streamlit's own routes. The others are its
# metrics, which anyone could read, and features that are off.
_STREAMLIT: Final = "/_stcore"
_NEEDED: Final = ("health", "host-config", "stream", "upload_file")

# No public name: without a dot, or of this machine.
_LOCAL: Final = re.compile(r"[\w-]+|(?:[\w-]+\.)+localhost", re.ASCII)
_UNKNOWN_HOST: Final = (
    "The page does not answer to this host name. If it is the page's own, "
    "name it in SEGSERVE_UI_HOSTS.\n"
)
_FOREIGN_ORIGIN: Final = (
    "A page of another origin may not use this one. "
    "A reverse proxy must pass the browser's Host header on.\n"
)


class Guard:
    """ASGI middleware: refuse requests that come by way of other sites, and forbid framing.

    hosts: names of the page besides addresses and localhost; * is any.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request of the page itself on, with safe headers; refuse another one."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def safe_send(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, safe_send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        # A name that its owner points at this machine makes another site's page look like ours.
        if len(hosts) != 1 or not is_own(hosts[0], self._hosts):
            return PlainTextResponse(_UNKNOWN_HOST, 421)
        # Browsers say which page opened a WebSocket, but let every page open one.
        if any(each.partition("://")[2] != hosts[0] for each in headers.getlist("origin")):
            return PlainTextResponse(_FOREIGN_ORIGIN, 403)
        if not _is_needed(scope["path"]):
            return PlainTextResponse("Not found\n", 404)
        return None


def is_own(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header is an address, a name without a dot, or one of the names.

    Another site can point its own name at this machine, but it can own neither an address nor a
    name without a dot, as machines, containers and localhost have.
    """
    name = host.lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] if ":" in name else name
    if name in names or "*" in names or _LOCAL.fullmatch(name):
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _is_needed(path: str) -> bool:
    first, _, rest = path.lstrip("/").partition("/")
    return f"/{first}" != _STREAMLIT or rest.partition("/")[0] in _NEEDED
