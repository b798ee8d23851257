"""Catalogue: a cache of the served versions, the default version and their facts."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.errors import GatewayError, ModelUnavailableError, NotFoundError, OverloadedError
from gateway.torchserve.management import (
    ManagementClient,
    ModelFacts,
    ModelStatus,
    VersionStatus,
)

# Seconds for which a request waits for newer data while older data is known.
_WAIT_S: Final = 0.5
# Seconds after a request during which the list is refreshed in the background.
REFRESH_WINDOW_S: Final = 10.0
# Longer than TorchServe needs to replace a worker that hangs.
_HANGING_S: Final = 90.0
# Share of the time to live after which the background refresh starts.
_REFRESH_AT: Final = 0.8


@dataclass(frozen=True)
class _VersionFacts:
    loaded_at: datetime | None
    facts: ModelFacts


@contextmanager
def default_may_change(version: str | None) -> Iterator[None]:
    """Turn NotFoundError into ModelUnavailableError if the request did not name a version."""
    # The default version was removed meanwhile, which is not the client's fault.
    try:
        yield
    except NotFoundError as exc:
        if version is not None:
            raise
        raise ModelUnavailableError("The default version is being replaced.") from exc


class Catalogue:
    """The served model's versions; concurrent requests share one query to TorchServe."""

    def __init__(
        self,
        management: ManagementClient,
        model: str,
        ttl_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self._management = management
        self._ttl_s = ttl_s
        self._clock = clock
        self._known: ModelStatus | None = None
        self._known_at = self._queried_at = float("-inf")
        self._requested_at = float("-inf")
        self._pending: asyncio.Task[ModelStatus] | None = None
        self._scheduled: asyncio.TimerHandle | None = None
        self._facts: dict[str, _VersionFacts] = {}
        self._facts_queries: dict[str, asyncio.Task[_VersionFacts]] = {}

    async def status(self) -> ModelStatus:
        """Return all versions, at most one TTL old; raises ModelUnavailableError."""
        if self._known is None or self._clock() - self._known_at > self._ttl_s:
            return await self.refresh()
        return self._known

    async def refresh(self) -> ModelStatus:
        """Return all versions as of now; raises ModelUnavailableError."""
        return await asyncio.shield(self._query())

    async def default_version(self) -> str:
        """Return the default version; the last known one if TorchServe does not respond."""
        self._requested_at = self._clock()
        if self._known is None:
            return (await self.refresh()).default_version
        if self._pending is None and self._clock() - self._queried_at > self._ttl_s:
            await asyncio.wait({self._query()}, timeout=_WAIT_S)
        return self._known.default_version

    async def resolve(self, version: str | None) -> str:
        """Return the given version, or the default version for None."""
        return version or await self.default_version()

    def check_model(self, name: str | None) -> None:
        """Raise NotFoundError for a name other than that of the served model."""
        if name not in (None, self.model):
            raise NotFoundError(f"There is no model {name!r}. There is: {self.model}.")

    async def find(self, version: str) -> VersionStatus:
        """Return the status of a version; raises NotFoundError, which lists the known versions."""
        known = (await self.status()).find(version) or (await self.refresh()).find(version)
        if known is None:
            raise await self.unknown(version)
        return known

    async def unknown(self, version: str) -> NotFoundError:
        """Return the error for a version that is not registered."""
        names = (await self.status()).names
        return NotFoundError(f"{self.model} has no version {version}. It has: {names}.")

    async def refusal(self, version: str) -> GatewayError:
        """Return the error for TorchServe's 503: overloaded if the version has ready workers.

        Without ready workers it is `model_unavailable`. TorchServe itself does not distinguish the
        two.
        """
        known = (await self.status()).find(version)
        if known is not None and known.workers > 0:
            return OverloadedError("Too many requests are waiting. Send the image again shortly.")
        return ModelUnavailableError(
            f"Version {version} of {self.model} has no worker that is ready. "
            "Send the image again in a few seconds, or choose another version."
        )

    @property
    def known(self) -> ModelStatus | None:
        """All versions as last read."""
        return self._known

    async def read_anew(self) -> ModelStatus:
        """Return all versions by a query that starts now; raises ModelUnavailableError.

        One that runs already may have been answered before a change.
        """
        if self._pending is not None:
            await asyncio.wait({self._pending})
        return await self.refresh()

    async def is_withdrawn(self, version: str, since: ModelStatus | None) -> bool:
        """Return whether another version is the default now, or this one has fewer workers.

        Both are changes by a command; a worker that crashed is still counted as wanted. since: the
        versions as known when the job was sent. False if TorchServe does not respond.
        """
        before = since.find(version) if since else None
        try:
            now = await self.read_anew()
        except ModelUnavailableError:
            return False
        after = now.find(version)
        if now.default_version != version or after is None:
            return True
        return before is not None and after.wanted < before.wanted

    async def labels(self, version: str) -> dict[int, str]:
        """Return class id -> name of a version, as `facts` does."""
        return (await self.facts(version)).labels

    async def facts(self, version: str) -> ModelFacts:
        """Return what a version's archive says, cached until the version is loaded again.

        The last known facts if TorchServe does not respond within half a second.
        """
        known = self._facts.get(version)
        try:
            async with asyncio.timeout(None if known is None else _WAIT_S):
                return (await self._version_facts(version)).facts
        except (ModelUnavailableError, TimeoutError):
            if known is None:
                raise
            return known.facts

    async def ask_worker(self, version: str) -> None:
        """Return when a worker of a version has answered; raises ModelUnavailableError."""
        await self._management.facts(self.model, version, _HANGING_S)

    def remembered_labels(self, version: str) -> dict[int, str]:
        """Return the cached labels without a query; empty if they are not cached."""
        known = self._facts.get(version)
        return known.facts.labels if known else {}

    async def _version_facts(self, version: str) -> _VersionFacts:
        now = await self.find(version)
        known = self._facts.get(version)
        if known is not None and now.loaded_at in (None, known.loaded_at):
            return known
        return await asyncio.shield(self._facts_query(version, now.loaded_at))

    def _facts_query(self, version: str, loaded_at: datetime | None) -> asyncio.Task[_VersionFacts]:
        """Return the one running query for a version's facts, which occupies a worker."""
        if version not in self._facts_queries:
            query = asyncio.create_task(self._fetch_facts(version, loaded_at))
            query.add_done_callback(lambda _: self._facts_queries.pop(version))
            self._facts_queries[version] = query
        return self._facts_queries[version]

    async def _fetch_facts(self, version: str, loaded_at: datetime | None) -> _VersionFacts:
        facts = await self._management.facts(self.model, version)
        known = self._facts[version] = _VersionFacts(loaded_at, facts)
        return known

    def _query(self) -> asyncio.Task[ModelStatus]:
        if self._pending is None:
            self._queried_at = self._clock()
            self._pending = asyncio.create_task(self._fetch())
            self._pending.add_done_callback(self._settle)
        return self._pending

    async def _fetch(self) -> ModelStatus:
        try:
            return await self._management.status(self.model)
        except NotFoundError as exc:
            # The settings name this model, not the client: this is not a 404.
            raise ModelUnavailableError(
                f"The inference server has no model {self.model} yet. Try again in a few seconds."
            ) from exc

    def _settle(self, done: asyncio.Task[ModelStatus]) -> None:
        self._pending = None
        if not done.cancelled() and done.exception() is None:
            self._known, self._known_at = done.result(), self._queried_at
        self._schedule_refresh(done.get_loop())

    def _schedule_refresh(self, loop: asyncio.AbstractEventLoop) -> None:
        """While there is traffic, refresh before the TTL ends, so that no request waits for it."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        if self._ttl_s > 0 and self._clock() - self._requested_at < REFRESH_WINDOW_S:
            self._scheduled = loop.call_later(_REFRESH_AT * self._ttl_s, self._query)
