"""What each key, or each address where nobody has keys, may compute in a time and at once."""

import asyncio
import ipaddress
import logging
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import TooManyRequestsError
from gateway.http.problems import render
from gateway.keys.principal import ANONYMOUS_ADMIN
from gateway.route_policy import is_counted
from gateway.settings import Settings

logger = logging.getLogger(__name__)

# Seconds for the storage to answer, and for which it is let alone when it did not.
_PATIENCE_S: Final = 0.25
_PAUSE_S: Final = 5.0

_parse = lru_cache(maxsize=1024)(parse)


class Rates:
    """Counts requests in this process, or for several gateways in Redis.

    When Redis does not answer, everything passes: a service without limits is better than none.
    """

    def __init__(self, url: str | None) -> None:
        storage = RedisStorage(url, True, "redispy", "segserve") if url else MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._ask_again_at = 0.0

    async def wait_s(self, rate: str, who: str) -> int:
        """Counts a request; 0 if it may pass, else whole seconds until one may."""
        if time.monotonic() < self._ask_again_at:
            return 0
        try:
            async with asyncio.timeout(_PATIENCE_S):
                found = await self._hit(_parse(rate), who)
        except (StorageError, TimeoutError) as exc:
            self._note_failure(exc)
            return 0
        if self._ask_again_at:
            self._ask_again_at = 0.0
            logger.info("the storage of the limits answers again")
        return found

    async def _hit(self, item: RateLimitItem, who: str) -> int:
        if await self._limiter.hit(item, who):
            return 0
        free_at = (await self._limiter.get_window_stats(item, who)).reset_time
        return max(1, math.ceil(free_at - time.time()))

    def _note_failure(self, exc: Exception) -> None:
        if not self._ask_again_at:
            cause = exc.storage_error if isinstance(exc, StorageError) else exc
            logger.warning(
                "the storage of the limits does not answer, rates are not limited: %s",
                type(cause).__name__,
            )
        self._ask_again_at = time.monotonic() + _PAUSE_S


class Quotas:
    """Pure ASGI middleware: refuses what is more than the sender's share."""

    def __init__(self, app: ASGIApp, settings: Settings, rates: Rates) -> None:
        self._app = app
        self._rate = settings.rate_limit
        self._concurrency = settings.key_concurrency
        self._rates = rates
        self._held: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request pass, or answers 429 before anything of it is read."""
        if scope["type"] != "http" or not is_counted(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        principal = scope["state"]["principal"]
        who = _address(scope) if principal.id == ANONYMOUS_ADMIN.id else principal.id
        try:
            with self._place(who, principal.concurrency or self._concurrency):
                await self._count(principal.rate or self._rate, who)
                await self._app(scope, receive, send)
                return
        except TooManyRequestsError as exc:
            error = exc
        # Outside of the place: a refused upload may take its time to end.
        await render(error, scope["state"]["request_id"])(scope, receive, send)

    @contextmanager
    def _place(self, who: str, limit: int) -> Iterator[None]:
        if limit and self._held[who] >= limit:
            raise TooManyRequestsError(
                f"{limit} requests at once are allowed, and as many are being answered. "
                "Wait for one of them."
            )
        self._held[who] += 1
        try:
            yield
        finally:
            self._held[who] -= 1
            if not self._held[who]:
                del self._held[who]

    async def _count(self, rate: str | None, who: str) -> None:
        if rate is None:
            return
        wait_s = await self._rates.wait_s(rate, who)
        if wait_s:
            raise TooManyRequestsError(
                f"{rate} is the limit. Send it again in {wait_s} seconds.", retry_after_s=wait_s
            )


def _address(scope: Scope) -> str:
    """The client's address; of IPv6 the half that a client cannot choose."""
    client = scope.get("client")
    try:
        address = ipaddress.ip_address(client[0] if client else "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
