"""What is served now: versions, default and labels, asked for rarely and remembered briefly."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.errors import GatewayError, ModelUnavailableError, NotFoundError, OverloadedError
from gateway.torchserve.management import ManagementClient, ModelStatus, VersionStatus

# How long a request waits for what is newer while something older is known.
_PATIENCE_S: Final = 0.5
# After a request the list is renewed for this long, so that the next ones need not wait for it.
KEPT_FRESH_S: Final = 10.0
# How much of its time to live passes until then.
_RENEWED_AFTER: Final = 0.8


@dataclass(frozen=True)
class _VersionLabels:
    loaded_at: datetime | None
    labels: dict[int, str]


@contextmanager
def default_may_change(version: str | None) -> Iterator[None]:
    """A default version that is removed meanwhile is no fault of a client that named none."""
    try:
        yield
    except NotFoundError as exc:
        if version is not None:
            raise
        raise ModelUnavailableError("The default version is being replaced.") from exc


class Catalogue:
    """The served model's versions; one question at a time, whoever and however many ask."""

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
        self._known_at = self._asked_at = float("-inf")
        self._wanted_at = float("-inf")
        self._pending: asyncio.Task[ModelStatus] | None = None
        self._renewal: asyncio.TimerHandle | None = None
        self._labels: dict[str, _VersionLabels] = {}
        self._describing: dict[str, asyncio.Task[_VersionLabels]] = {}

    async def status(self) -> ModelStatus:
        """All versions, at most a moment old; raises ModelUnavailableError without an answer."""
        if self._known is None or self._clock() - self._known_at > self._ttl_s:
            return await self.refresh()
        return self._known

    async def refresh(self) -> ModelStatus:
        """All versions as of now."""
        return await asyncio.shield(self._ask())

    async def default_version(self) -> str:
        """The version for requests that name none; the last known one if TorchServe is silent."""
        self._wanted_at = self._clock()
        if self._known is None:
            return (await self.refresh()).default_version
        if self._pending is None and self._clock() - self._asked_at > self._ttl_s:
            await asyncio.wait({self._ask()}, timeout=_PATIENCE_S)
        return self._known.default_version

    async def chosen(self, version: str | None) -> str:
        """That version, or the default one."""
        return version or await self.default_version()

    def check_model(self, name: str | None) -> None:
        """Raises NotFoundError for any other model than the one there is."""
        if name not in (None, self.model):
            raise NotFoundError(f"There is no model {name!r}. There is: {self.model}.")

    async def find(self, version: str) -> VersionStatus:
        """One version; raises NotFoundError that names those there are."""
        known = (await self.status()).find(version) or (await self.refresh()).find(version)
        if known is None:
            raise await self.unknown(version)
        return known

    async def unknown(self, version: str) -> NotFoundError:
        """The error for a version that is not registered."""
        names = (await self.status()).names
        return NotFoundError(f"{self.model} has no version {version}. It has: {names}.")

    async def refusal(self, version: str) -> GatewayError:
        """Why TorchServe takes no job for a version: it does not say, its workers do."""
        known = (await self.status()).find(version)
        if known is not None and known.workers > 0:
            return OverloadedError("Too many requests are waiting. Send the image again shortly.")
        return ModelUnavailableError(
            f"Version {version} of {self.model} has no worker that is ready. "
            "Send the image again in a few seconds, or choose another version."
        )

    async def labels(self, version: str) -> dict[int, str]:
        """Class id -> name of a version, remembered until the version is loaded anew.

        The last known ones if TorchServe is silent, or not done with the question in a moment.
        """
        known = self._labels.get(version)
        try:
            async with asyncio.timeout(None if known is None else _PATIENCE_S):
                return (await self._version_labels(version)).labels
        except (ModelUnavailableError, TimeoutError):
            if known is None:
                raise
            return known.labels

    def remembered_labels(self, version: str) -> dict[int, str]:
        """The same without asking anybody; empty if nobody asked yet."""
        known = self._labels.get(version)
        return known.labels if known else {}

    async def _version_labels(self, version: str) -> _VersionLabels:
        now = await self.find(version)
        known = self._labels.get(version)
        if known is not None and now.loaded_at in (None, known.loaded_at):
            return known
        return await asyncio.shield(self._ask_for_labels(version, now.loaded_at))

    def _ask_for_labels(
        self, version: str, loaded_at: datetime | None
    ) -> asyncio.Task[_VersionLabels]:
        """One question for each version: it takes a worker's turn."""
        if version not in self._describing:
            asked = asyncio.create_task(self._fetch_labels(version, loaded_at))
            asked.add_done_callback(lambda _: self._describing.pop(version))
            self._describing[version] = asked
        return self._describing[version]

    async def _fetch_labels(self, version: str, loaded_at: datetime | None) -> _VersionLabels:
        labels = await self._management.labels(self.model, version)
        known = self._labels[version] = _VersionLabels(loaded_at, labels)
        return known

    def _ask(self) -> asyncio.Task[ModelStatus]:
        if self._pending is None:
            self._asked_at = self._clock()
            self._pending = asyncio.create_task(self._fetch())
            self._pending.add_done_callback(self._settle)
        return self._pending

    async def _fetch(self) -> ModelStatus:
        try:
            return await self._management.status(self.model)
        except NotFoundError as exc:
            # Whoever asks did not choose this name: the fault is not theirs.
            raise ModelUnavailableError(
                f"The inference server has no model {self.model} yet. Try again in a few seconds."
            ) from exc

    def _settle(self, done: asyncio.Task[ModelStatus]) -> None:
        self._pending = None
        if not done.cancelled() and done.exception() is None:
            self._known, self._known_at = done.result(), self._asked_at
        self._renew_later(done.get_loop())

    def _renew_later(self, loop: asyncio.AbstractEventLoop) -> None:
        """To ask only when a request comes costs every one of a slow model's some milliseconds."""
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None
        if self._ttl_s > 0 and self._clock() - self._wanted_at < KEPT_FRESH_S:
            self._renewal = loop.call_later(_RENEWED_AFTER * self._ttl_s, self._ask)
