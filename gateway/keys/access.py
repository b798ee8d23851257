"""Access control: authenticate a request by its API key and check the role that its route needs."""

import base64
import ipaddress
import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import ForbiddenError, GatewayError, UnauthorizedError
from gateway.http.problems import render
from gateway.keys.cache import KeyCache
from gateway.keys.principal import ANONYMOUS, ANONYMOUS_ADMIN, Principal
from gateway.keys.store import KeyStore
from gateway.route_policy import ADMINISTRATION, policy_of
from gateway.settings import Settings

_MAX_KEY: Final = 256
_PORT: Final = re.compile(r":\d*$")
_HINT: Final = "Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`."


def requires_keys(settings: Settings) -> bool:
    """Whether clients need a key; with `auto`, unless the gateway listens on loopback."""
    if settings.auth == "auto":
        return not _is_loopback(settings.host)
    return settings.auth == "on"


def startup_refusal(settings: Settings) -> str | None:
    """Return in one line why the gateway must not start: keys are required, but there are none."""
    if not requires_keys(settings):
        return None
    try:
        if KeyStore(settings.keys_file).read():
            return None
    except GatewayError as exc:
        return exc.detail
    return (
        f"The gateway would ask every client for a key on {settings.host}, but there is none: "
        "make one with `python -m gateway.keys add --name NAME --role admin`, "
        "or set SEGSERVE_GATEWAY_AUTH=off to serve every client without one."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_local(scope: Scope) -> bool:
    """Whether a request came over loopback and its Host names loopback."""
    # Without the check of Host, a page of another site whose name resolves to this machine could
    # reach it over loopback, through the browser of a user (DNS rebinding).
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    name = _PORT.sub("", str(host, "latin-1")).strip("[]")
    client = scope.get("client")
    return _is_loopback(name) and client is not None and _is_loopback(client[0])


class Access:
    """ASGI middleware: set the principal of a request, or refuse the request.

    cache: the keys; None if no keys are required.
    """

    def __init__(self, app: ASGIApp, cache: KeyCache | None) -> None:
        self._app = app
        self._cache = cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with ``state["principal"]`` set, or send 401 or 403."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            principal = await self._principal(scope)
        except GatewayError as error:
            await render(error, scope["state"]["request_id"])(scope, receive, send)
            return
        scope["state"]["principal"] = principal
        await self._app(scope, receive, send)

    async def _principal(self, scope: Scope) -> Principal:
        if self._cache is None:
            if scope["path"].startswith(ADMINISTRATION) and not _is_local(scope):
                raise ForbiddenError(
                    "While no keys are required, this answers the gateway's own machine only. "
                    "Set SEGSERVE_GATEWAY_AUTH=on and send a key with the role admin."
                )
            return ANONYMOUS_ADMIN
        policy = policy_of(scope["path"])
        if policy.public:
            return ANONYMOUS
        principal = await _authenticate(self._cache, scope)
        if principal.role != "admin" and policy.admin:
            raise ForbiddenError(f"This needs a key with the role admin, not {principal.role}.")
        return principal


async def _authenticate(cache: KeyCache, scope: Scope) -> Principal:
    presented = _presented_key(scope)
    if not presented:
        raise UnauthorizedError(f"This gateway asks for a key. {_HINT}")
    key = await cache.find(presented[:_MAX_KEY])
    if key is None:
        raise UnauthorizedError(f"The key is not valid: mistyped, or revoked. {_HINT}")
    return Principal(key.id, key.name, key.role, key.rate, key.concurrency)


def _password(token: bytes) -> str:
    """Return the password of Basic credentials; empty if they are malformed."""
    try:
        return str(base64.b64decode(token, validate=True).partition(b":")[2], "latin-1")
    except ValueError:
        return ""


def _presented_key(scope: Scope) -> str:
    """Return the key in the headers, empty if there is none; a bearer token takes precedence."""
    # Clients that only support Basic authentication, such as Label Studio, send it as the password.
    key = ""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() == b"bearer":
                return str(token.strip(), "latin-1")
            if scheme.lower() == b"basic":
                key = _password(token.strip())
        elif name == b"x-api-key" and not key:
            key = str(value.strip(), "latin-1")
    return key
