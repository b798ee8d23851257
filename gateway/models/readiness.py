"""Readiness of a version: its workers run, and answer."""

import asyncio
import time
from collections import defaultdict
from typing import Final

from starlette.datastructures import State

from gateway.errors import GatewayError, ModelUnavailableError, NodeUnreachableError
from gateway.models.catalogue import Catalogue
from gateway.models.status import VersionStatus
from gateway.torchserve.inference import Liveness, Target
from gateway.traffic.dispatch import Dispatcher

# Seconds after an answer for which no worker is probed.
_FRESH_S: Final = 2.0
# Seconds between two probes of a version, and for which a caller waits for one.
_PROBE_INTERVAL_S: Final = 1.0
_WAIT_S: Final = 0.3


class Readiness:
    """The readiness of the served model's versions.

    Without recent answers a worker is sent an empty image, which it refuses. A probe that is not
    answered stays in TorchServe's queue, so there are at most as many as workers.
    state: the application's; `is_stopping` is set while the gateway stops.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        dispatcher: Dispatcher,
        liveness: Liveness,
        unresponsive_s: float,
        state: State,
    ) -> None:
        self._catalogue = catalogue
        self._dispatcher = dispatcher
        self._liveness = liveness
        self._unresponsive_s = unresponsive_s
        self._state = state
        self._probes: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._probed_at: dict[str, float] = {}
        self._refused: set[str] = set()  # versions whose nodes refused the last probe

    async def check(self, version: str | None = None) -> VersionStatus:
        """Return the status of a version that is ready, or of the default version for None.

        Raises ModelUnavailableError, or NotFoundError for an unknown version.
        """
        if getattr(self._state, "is_stopping", False):
            raise ModelUnavailableError("The gateway is stopping.")
        known = self._catalogue.find(self._catalogue.named(version))
        name = known.version
        if known.workers == 0:
            raise ModelUnavailableError(
                f"Version {name} of {self._catalogue.model} has no worker that is ready."
                + self._catalogue.why_not_ready(name)
            )
        await self._probe(known)
        if name in self._refused:
            # What the nodes reported last may be of before they ended.
            raise ModelUnavailableError(
                f"No inference server with version {name} of {self._catalogue.model} runs."
            )
        silent_s = self._liveness.silent_s(name)
        if silent_s > self._unresponsive_s:
            raise ModelUnavailableError(
                f"Version {name} of {self._catalogue.model} does not respond: no worker has "
                f"answered for {silent_s:.0f} seconds."
            )
        return known

    async def _probe(self, known: VersionStatus) -> None:
        """Ask a worker if none has answered lately, and wait a moment for the answer."""
        version, probes = known.version, self._probes[known.version]
        if self._liveness.seconds_since_answer(version) < _FRESH_S:
            self._refused.discard(version)
            return
        now = time.monotonic()
        is_due = now - self._probed_at.get(version, float("-inf")) >= _PROBE_INTERVAL_S
        if len(probes) < known.workers and is_due:
            self._probed_at[version] = now
            task = asyncio.create_task(self._ask(version))
            probes.add(task)
            task.add_done_callback(probes.discard)
        if probes:
            await asyncio.wait(probes, timeout=_WAIT_S, return_when=asyncio.FIRST_COMPLETED)

    async def _ask(self, version: str) -> None:
        try:
            await self._dispatcher.probe(Target(self._catalogue.model, version))
        except NodeUnreachableError:
            self._refused.add(version)
        except GatewayError:  # the liveness knows whether there was an answer
            self._refused.discard(version)
        else:
            self._refused.discard(version)
