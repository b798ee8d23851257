"""In front of every route: who asks, and whether they may."""

import base64
import ipaddress
import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import ForbiddenError, GatewayError, UnauthorizedError
from gateway.http.problems import render
from gateway.keys.cache import Register
from gateway.keys.principal import ANYBODY, VISITOR, Principal
from gateway.keys.store import KeyFile
from gateway.route_policy import policy_of
from gateway.settings import Settings

_MAX_KEY: Final = 256
_PORT: Final = re.compile(r":\d*$")
_HINT: Final = "Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`."


def asks_for_keys(settings: Settings) -> bool:
    """Whether clients need a key: as set, or where others than this machine could reach it."""
    if settings.auth == "auto":
        return not _is_loopback(settings.host)
    return settings.auth == "on"


def why_not_open(settings: Settings) -> str | None:
    """Why the gateway must not start, in one line: keys are asked for, and there are none."""
    if not asks_for_keys(settings):
        return None
    try:
        if KeyFile(settings.keys_file).read():
            return None
    except GatewayError as exc:
        return exc.detail
    return (
        f"The gateway would ask every client for a key on {settings.host}, but there is none: "
        "make one with `python -m gateway.keys add --name NAME --role admin`, "
        "or set SEGSERVE_GATEWAY_AUTH=off to serve everybody without."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_from_here(scope: Scope) -> bool:
    """Whether a request came over loopback and names it.

    The name counts too: a page of another site, whose name leads to this machine, comes over
    loopback through its visitor's browser.
    """
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    name = _PORT.sub("", str(host, "latin-1")).strip("[]")
    client = scope.get("client")
    return _is_loopback(name) and client is not None and _is_loopback(client[0])


class Access:
    """Pure ASGI middleware; without a register everybody may do what is not for admins."""

    def __init__(self, app: ASGIApp, register: Register | None) -> None:
        self._app = app
        self._register = register

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Notes who asks, or refuses."""
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
        policy = policy_of(scope["path"])
        if self._register is None:
            if policy.administration and not _is_from_here(scope):
                raise ForbiddenError(
                    "While nobody needs a key, this answers the gateway's own machine only. "
                    "Set SEGSERVE_GATEWAY_AUTH=on and send a key with the role admin."
                )
            return ANYBODY
        if policy.public:
            return VISITOR
        principal = await _identified(self._register, scope)
        if principal.role != "admin" and policy.admin:
            raise ForbiddenError(f"This needs a key with the role admin, not {principal.role}.")
        return principal


async def _identified(register: Register, scope: Scope) -> Principal:
    presented = _presented(scope)
    if not presented:
        raise UnauthorizedError(f"This gateway asks for a key. {_HINT}")
    key = await register.find(presented[:_MAX_KEY])
    if key is None:
        raise UnauthorizedError(f"The key is not valid: mistyped, or revoked. {_HINT}")
    return Principal(key.id, key.name, key.role, key.rate, key.concurrency)


def _password(token: bytes) -> str:
    """What Basic authentication has behind the colon; empty if it is malformed."""
    try:
        return str(base64.b64decode(token, validate=True).partition(b":")[2], "latin-1")
    except ValueError:
        return ""


def _presented(scope: Scope) -> str:
    """The key in the headers, empty if there is none; a bearer token goes before the others.

    Programs that know Basic authentication only, as Label Studio does, send it as the password.
    """
    found = ""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() == b"bearer":
                return str(token.strip(), "latin-1")
            if scheme.lower() == b"basic":
                found = _password(token.strip())
        elif name == b"x-api-key" and not found:
            found = str(value.strip(), "latin-1")
    return found
