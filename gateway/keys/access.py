"""Access control: authenticate a request by its API key and check the role that its route needs."""

import base64
import ipaddress
import re
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import ForbiddenError, GatewayError, UnauthorizedError, UnknownHostError
from gateway.http.problems import render
from gateway.keys.cache import KeyCache
from gateway.keys.principal import ANONYMOUS, ANONYMOUS_ADMIN, LOCAL, Principal
from gateway.keys.store import open_store
from gateway.keys.token_file import TokenFile
from gateway.route_policy import ADMINISTRATION, policy_of
from gateway.settings import Settings

# No public name: empty, without a dot, or of this machine.
_LOCAL: Final = re.compile(r"[\w-]*|(?:[\w-]+\.)+localhost", re.ASCII)
_MAX_KEY: Final = 256
_UNKNOWN_HOST: Final = (
    "The gateway does not answer to this host name while keys are not required. "
    "If the name is its own, put it into SEGSERVE_GATEWAY_HOSTS."
)
_ADMINISTRATION: Final = (
    "While keys are not required, this is for the commands of the gateway's own user: "
    "`segserve versions` and `segserve keys`, which show the token of the file admin-token. "
    "Others need SEGSERVE_GATEWAY_AUTH=on and a key with the role admin."
)
_HINT: Final = "Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`."


def requires_keys(settings: Settings) -> bool:
    """Whether clients need a key; with `auto`, unless they can only reach it over loopback."""
    if settings.auth == "auto":
        return not _is_loopback(settings.published_host or settings.host)
    return settings.auth == "on"


def startup_refusal(settings: Settings) -> str | None:
    """Return in one line why the gateway must not start: it has no database, or needs a key."""
    try:
        store = open_store(settings)
        keys = store.read()
        store.database.close()
    except GatewayError as exc:
        return exc.detail
    if keys or not requires_keys(settings):
        return None
    host = settings.published_host or settings.host
    return (
        f"The gateway would ask every client for a key on {host}, but there is none: "
        "make one with `python -m gateway.keys add --name NAME --role admin`, "
        "or set SEGSERVE_GATEWAY_AUTH=off to serve without keys."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def own_names(settings: Settings) -> frozenset[str]:
    """Return the names by which clients may call the gateway while no keys are required."""
    names = (settings.host, settings.published_host or settings.host, *settings.hosts)
    return frozenset(map(str.lower, names))


@lru_cache(maxsize=64)
def is_own(host: bytes, names: frozenset[str]) -> bool:
    """Whether a Host header is an address, a name without a dot, or one of the names; `*` is any.

    A site can point its own name at this machine, and its page is then of the gateway's origin in
    a browser (DNS rebinding). It can own neither an address nor a name without a dot, as machines,
    containers and localhost have.
    """
    name = str(host, "latin-1").lower()
    if ":" in name and not name.endswith("]"):
        name = name.rpartition(":")[0]
    if name in names or "*" in names or _LOCAL.fullmatch(name):
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


class Access:
    """ASGI middleware: set the principal of a request, or refuse the request.

    cache: the keys; None if no keys are required.
    hosts: names of the gateway besides addresses and localhost, while no keys are required.
    local: the token of the gateway's user on this machine, an admin whether keys are required or
    not; None if there is none.
    """

    def __init__(
        self,
        app: ASGIApp,
        cache: KeyCache | None,
        hosts: frozenset[str],
        local: TokenFile | None = None,
    ) -> None:
        self._app = app
        self._cache = cache
        self._hosts = hosts
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with ``state["principal"]`` set, or send 401, 403 or 421."""
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
            for name, value in scope["headers"]:
                if name == b"host":
                    if not is_own(value, self._hosts):
                        raise UnknownHostError(_UNKNOWN_HOST)
                    break  # the server takes one only
            if scope["path"].startswith(ADMINISTRATION):
                # Not even over loopback: a reverse proxy and a browser's page look like that too.
                if not self._is_local(_presented_key(scope)):
                    raise ForbiddenError(_ADMINISTRATION)
                return LOCAL
            return ANONYMOUS_ADMIN
        policy = policy_of(scope["path"])
        if policy.public:
            return ANONYMOUS
        presented = _presented_key(scope)
        if self._is_local(presented):
            return LOCAL
        principal = await _authenticate(self._cache, presented)
        if principal.role != "admin" and policy.admin:
            raise ForbiddenError(f"This needs a key with the role admin, not {principal.role}.")
        return principal

    def _is_local(self, presented: str) -> bool:
        return self._local is not None and self._local.is_shown(presented[:_MAX_KEY])


async def _authenticate(cache: KeyCache, presented: str) -> Principal:
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
