"""Catalogue: the served model's versions, by the registry's snapshot and the nodes' reports.

Nothing here waits: a request is routed by what is known in memory.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Protocol

from gateway.errors import (
    GatewayError,
    JobLostError,
    ModelUnavailableError,
    NotFoundError,
    NoWorkerFreeError,
    OverloadedError,
)
from gateway.models.status import ModelFacts, ModelStatus, VersionStatus
from gateway.registry.records import AVAILABLE, STABLE, VersionRecord
from gateway.registry.snapshot import ModelState, Snapshot
from gateway.traffic.fleet import Fleet
from gateway.traffic.identity import RecentClients
from gateway.traffic.policy import resolve

_AGAIN: Final = "Try again in a few seconds."


class Registry(Protocol):
    """The registry as last read; `refresh` reads it anew, and raises GatewayError."""

    @property
    def snapshot(self) -> Snapshot: ...

    async def refresh(self) -> None: ...


class Catalogue:
    """The versions of the served model."""

    def __init__(
        self, model: str, registry: Registry, fleet: Fleet, clients: RecentClients | None = None
    ) -> None:
        self.model = model
        self._clients = clients or RecentClients()
        self._registry = registry
        self._fleet = fleet

    def check_model(self, name: str | None) -> None:
        """Raise NotFoundError for a name other than that of the served model."""
        if name not in (None, self.model):
            raise NotFoundError(f"There is no model {name!r}. There is: {self.model}.")

    def resolve(self, wanted: str | None, identity: Callable[[], str]) -> str:
        """Return the version for a request: by its name or an alias, or by the traffic policy.

        identity: of the client, asked only if it names no version. Raises NotFoundError or
        ModelUnavailableError.
        """
        state = self._state()
        if wanted is not None:
            return resolve(state, wanted, "")
        client = identity()
        self._clients.saw(client)
        version = resolve(state, None, client)
        stable = state.aliases.get(STABLE)
        if version == stable or stable is None or self._fleet.nodes_with(self.model, version):
            return version
        # A canary that no node has ready costs no client its answer.
        return resolve(state, STABLE, "")

    def named(self, wanted: str | None) -> str:
        """Return the version that a name or alias means; the stable one for None.

        Raises NotFoundError or ModelUnavailableError.
        """
        return resolve(self._state(), STABLE if wanted is None else wanted, "")

    def status(self) -> ModelStatus:
        """Return all versions; raises ModelUnavailableError, also while no node reports."""
        known = self.registered()
        if not self._fleet.fresh:
            raise ModelUnavailableError(f"No inference server reports that it runs. {_AGAIN}")
        return known

    def registered(self) -> ModelStatus:
        """Return all versions, also while no node reports; raises ModelUnavailableError."""
        state = self._state()
        versions = tuple(
            self._version(each)
            for each in sorted(state.versions.values(), key=lambda each: each.version)
            if each.state == AVAILABLE
        )
        stable = state.aliases.get(STABLE)
        known = {each.version for each in versions}
        return ModelStatus(stable if stable in known else None, versions)

    @property
    def known(self) -> ModelStatus | None:
        """All versions as last read; None before."""
        try:
            return self.status()
        except ModelUnavailableError:
            return None

    def find(self, wanted: str) -> VersionStatus:
        """Return the status of a version or alias; raises NotFoundError, which lists them."""
        return self._version(self._record(wanted))

    def wanted(self, version: str) -> int:
        """Return the workers that a version was given on all nodes; 0 if none reports it."""
        return self._fleet.version_status(self.model, version).wanted

    @property
    def stable_workers(self) -> int:
        """Ready workers of the stable version on all nodes; 0 without one."""
        state = self.state_or_none()
        stable = state.aliases.get(STABLE) if state else None
        return self._fleet.version_status(self.model, stable).ready if stable else 0

    def refusal(self, version: str) -> GatewayError:
        """Return the error for TorchServe's 503: overloaded if the version has ready workers.

        TorchServe uses the same text for a full queue and for a version without workers.
        """
        if self._fleet.version_status(self.model, version).ready:
            return OverloadedError("Too many images are waiting. Send the image again shortly.")
        return ModelUnavailableError(
            f"Version {version} of {self.model} has no worker that is ready. "
            "Send the image again in a few seconds, or choose another version."
        )

    def states(self, version: str) -> set[str]:
        """Return the states in which nodes report a version: ready, loading and so on."""
        nodes = self._fleet.version_status(self.model, version).nodes
        return {each.state for each in nodes.values()}

    def why_not_ready(self, version: str) -> str:
        """Return why a version has no worker that is ready, as far as the nodes say."""
        nodes = self._fleet.version_status(self.model, version).nodes
        reasons = [f" {name}: {each.reason}." for name, each in nodes.items() if each.reason]
        return "".join(reasons) if nodes else " No inference server reports that it has it."

    async def resolve_again(
        self,
        wanted: str | None,
        identity: Callable[[], str],
        version: str,
        workers: int,
        lost: JobLostError,
    ) -> str | None:
        """Return the version for a lost job if a command took its version or worker; else None.

        That is what `resolve` finds now if it is another one, or the same with fewer workers for a
        request that named none. A worker that crashed is still counted as wanted, and leads nowhere
        else. workers: `wanted` when the job was sent. None if the registry does not respond.
        """
        try:
            await self._registry.refresh()
            self.status()
            again = self.resolve(wanted, identity)
        except GatewayError:
            return None
        if again != version:
            is_safe = isinstance(lost, NoWorkerFreeError)  # nothing was computed
            return again if is_safe or not self._may_get(wanted, identity, version) else None
        is_fewer = self.wanted(version) < workers
        return again if is_fewer and wanted is None else None

    def _may_get(self, wanted: str | None, identity: Callable[[], str], version: str) -> bool:
        """Whether a version is what the policy says for a request, ready or not."""
        state = self._state()
        if wanted is not None:
            return resolve(state, wanted, "") == version
        return version in (state.aliases.get(STABLE), resolve(state, None, identity()))

    def labels(self, version: str) -> Mapping[int, str]:
        """Return class id -> name of a version; raises NotFoundError."""
        return self._record(version).labels

    def state_or_none(self) -> ModelState | None:
        """Return the served model as the registry has it, or None."""
        return self._registry.snapshot.models.get(self.model)

    def labels_of(self, model: str, version: str) -> Mapping[int, str]:
        """Return class id -> name of a version of any model; empty if there is none."""
        record = self._known(model, version)
        return record.labels if record else {}

    def digest(self, model: str, version: str) -> str:
        """Return the SHA-256 of a version's archive; empty if there is none."""
        record = self._known(model, version)
        return record.sha256 if record else ""

    def facts(self, version: str) -> ModelFacts:
        """Return what a version's archive says; raises NotFoundError."""
        record = self._record(version)
        tables = {
            name: table
            for name in ("spec", "provenance", "card")
            if isinstance(table := record.facts.get(name), dict)
        }
        return ModelFacts(record.labels, **tables)

    def remembered_labels(self, version: str) -> Mapping[int, str]:
        """Return the labels of a version; empty if there is none."""
        return self.labels_of(self.model, version)

    def _known(self, model: str, version: str) -> VersionRecord | None:
        state = self._registry.snapshot.models.get(model)
        return state.versions.get(version) if state else None

    def _record(self, wanted: str) -> VersionRecord:
        state = self._state()
        return state.versions[resolve(state, wanted, "")]

    def _version(self, record: VersionRecord) -> VersionStatus:
        status = self._fleet.version_status(self.model, record.version)
        started = [_moment(each.loaded_at) for each in status.nodes.values() if each.ready]
        known = [each for each in started if each is not None]
        return VersionStatus(record.version, status.ready, min(known, default=None), status.wanted)

    def _state(self) -> ModelState:
        state = self.state_or_none()
        if state is None or not state.versions:
            raise ModelUnavailableError(
                f"There is no version of {self.model} yet. Add one with `segserve versions add`."
                if self._registry.snapshot.generation >= 0
                else f"The registry has not been read yet. {_AGAIN}"
            )
        return state


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
