"""Quotas: rate and concurrency limits by key, or by address if no keys are required."""

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

# Timeout of the storage in seconds, and the pause after a failure before it is tried again.
_TIMEOUT_S: Final = 0.25
_PAUSE_S: Final = 5.0

_parse = lru_cache(maxsize=1024)(parse)


class Rates:
    """Request counts, in this process or, for several gateways together, in Redis.

    If Redis fails, all requests pass: a service without limits is better than no service.
    """

    def __init__(self, url: str | None, pause_s: float = _PAUSE_S) -> None:
        storage = RedisStorage(url, True, "redispy", "segserve") if url else MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._pause_s = pause_s
        self._retry_at = 0.0

    async def wait_s(self, rate: str, sender: str) -> int:
        """Count a request; return 0 if it may pass, else the whole seconds to wait."""
        if time.monotonic() < self._retry_at:
            return 0
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                seconds = await self._hit(_parse(rate), sender)
        except (StorageError, TimeoutError) as exc:
            self._note_failure(exc)
            return 0
        if self._retry_at:
            self._retry_at = 0.0
            logger.info("the storage of the limits answers again")
        return seconds

    async def _hit(self, item: RateLimitItem, sender: str) -> int:
        if await self._limiter.hit(item, sender):
            return 0
        free_at = (await self._limiter.get_window_stats(item, sender)).reset_time
        return max(1, math.ceil(free_at - time.time()))

    def _note_failure(self, exc: Exception) -> None:
        if not self._retry_at:
            cause = exc.storage_error if isinstance(exc, StorageError) else exc
            logger.warning(
                "the storage of the limits does not answer, rates are not limited: %s",
                type(cause).__name__,
            )
        self._retry_at = time.monotonic() + self._pause_s


class Quotas:
    """ASGI middleware: refuse the requests that exceed their sender's limits."""

    def __init__(self, app: ASGIApp, settings: Settings, rates: Rates) -> None:
        self._app = app
        self._rate = settings.rate_limit
        self._concurrency = settings.key_concurrency
        self._rates = rates
        self._running: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or send 429 before its body is read."""
        if scope["type"] != "http" or not is_counted(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        principal = scope["state"]["principal"]
        sender = _address(scope) if principal.id == ANONYMOUS_ADMIN.id else principal.id
        try:
            with self._acquire(sender, principal.concurrency or self._concurrency):
                await self._check_rate(principal.rate or self._rate, sender)
                await self._app(scope, receive, send)
                return
        except TooManyRequestsError as exc:
            error = exc
        # Outside the block: draining a refused upload must not count as a concurrent request.
        await render(error, scope["state"]["request_id"])(scope, receive, send)

    @contextmanager
    def _acquire(self, sender: str, limit: int) -> Iterator[None]:
        if limit and self._running[sender] >= limit:
            raise _refusal(
                f"{limit} requests at once are allowed, and as many are being answered. "
                "Wait for one of them.",
                f'"concurrency";q={limit};qu="concurrent-requests"',
                wait_s=1,
            )
        self._running[sender] += 1
        try:
            yield
        finally:
            self._running[sender] -= 1
            if not self._running[sender]:
                del self._running[sender]

    async def _check_rate(self, rate: str | None, sender: str) -> None:
        if rate is None:
            return
        wait_s = await self._rates.wait_s(rate, sender)
        if wait_s:
            item = _parse(rate)
            raise _refusal(
                f"{rate} is the limit. Send it again in {wait_s} seconds.",
                f'"rate";q={item.amount};w={item.get_expiry()}',
                wait_s,
            )


def _refusal(detail: str, policy: str, wait_s: int) -> TooManyRequestsError:
    """Return the error with RateLimit headers (draft-ietf-httpapi-ratelimit-headers-10).

    policy: its name, quota and window in seconds. wait_s: seconds until a request may pass.
    """
    name = policy.partition(";")[0]
    headers = {"RateLimit-Policy": policy, "RateLimit": f"{name};r=0;t={wait_s}"}
    error = TooManyRequestsError(detail, headers)
    error.retry_after_s = wait_s
    return error


def _address(scope: Scope) -> str:
    """Return the client's address; for IPv6 its /64 network, as clients choose the other half."""
    client = scope.get("client")
    try:
        address = ipaddress.ip_address(client[0] if client else "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
