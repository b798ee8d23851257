"""Follower: keeps a snapshot of the registry at most a moment old, without ever blocking."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from gateway.errors import GatewayError
from gateway.registry.database import Database
from gateway.registry.snapshot import EMPTY, Snapshot, load

logger = logging.getLogger(__name__)

_POLL_S: Final = 0.5
# Seconds after which a snapshot is not fresh any more.
_FRESH_S: Final = 2.0
_LOG_EVERY_S: Final = 60.0


class Follower:
    """The latest snapshot, which a background task renews; the last one stays without a database.

    poll_s: seconds between two looks at the database.
    """

    def __init__(self, database: Database, poll_s: float = _POLL_S) -> None:
        self._database = database
        self._poll_s = poll_s
        self._snapshot = EMPTY
        self._loaded_at = -float("inf")
        self._logged_at = -float("inf")
        self._reload: asyncio.Task[None] | None = None
        self._one_thread = threading.Lock()
        self._reads = self._published = 0
        # Gets each snapshot before any request is routed by it.
        self.take: Callable[[Snapshot], None] = lambda _: None

    @property
    def snapshot(self) -> Snapshot:
        """The latest snapshot; of generation -1 before the first."""
        return self._snapshot

    @property
    def is_fresh(self) -> bool:
        """Whether the database answered within the last seconds."""
        return time.monotonic() - self._loaded_at < max(_FRESH_S, 4 * self._poll_s)

    @property
    def loaded_at(self) -> float:
        """The moment at which the latest load began, by the monotonic clock."""
        return self._loaded_at

    def load(self) -> None:
        """Load at once, in this thread; raises RegistryUnavailableError."""
        self._publish(*self._read())

    async def refresh(self) -> None:
        """Load at once, after a change by this gateway; raises RegistryUnavailableError."""
        self._publish(*await asyncio.to_thread(self._read))

    def _read(self) -> tuple[int, float, Snapshot]:
        """Return the number of a load, when it began, and what it found."""
        with self._one_thread:
            self._reads += 1
            began = time.monotonic()
            with self._database.reading() as connection:
                return self._reads, began, load(connection, self._snapshot)

    def _publish(self, number: int, began: float, snapshot: Snapshot) -> None:
        if number < self._published:
            return  # the next load was faster
        self._published = number
        # In this order: a snapshot that is seen is fresh, and its nodes are known.
        self._loaded_at = began
        self.take(snapshot)
        self._snapshot = snapshot

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow the database while the block runs."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        began = time.monotonic()
        while True:
            # A database may hang, so that a load does not end: then the next one waits for it.
            if self._reload is None or self._reload.done():
                began = time.monotonic()
                self._reload = asyncio.create_task(self._load_quietly())
            await asyncio.sleep(self._poll_s)
            if not self._reload.done() and time.monotonic() - began > _FRESH_S:
                self._log("it does not answer")

    async def _load_quietly(self) -> None:
        try:
            await self.refresh()
        except GatewayError as exc:
            self._log(exc.detail)
        except Exception:  # a bug here must not stop the following
            logger.exception("the registry could not be loaded")
        else:
            if self._logged_at > 0:
                logger.warning("the database is back")
            self._logged_at = -float("inf")

    def _log(self, reason: str) -> None:
        """Log one line a minute."""
        if self.is_fresh or time.monotonic() - self._logged_at < _LOG_EVERY_S:
            return
        self._logged_at = time.monotonic()
        logger.warning("serving goes on by the last known state of the registry: %s", reason)
