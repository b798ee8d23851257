"""Carrying out one step of the plan at TorchServe and on the disk."""

from collections.abc import Callable
from contextlib import suppress

from agent.disk.archives import Archives, FetchError, file_name
from agent.gateway import Gateways
from agent.reconcile import Fetch, Register, Scale, SetDefault, Step, Unload
from agent.torchserve.management import ConflictError, TorchServe, TorchServeError
from agent.torchserve.memory import free_mb, shortage


class StepError(RuntimeError):
    """A step that failed; the text is one line for people."""


class Steps:
    """One method for each kind of step. looks_at_memory: before workers are started."""

    def __init__(
        self,
        torchserve: TorchServe,
        archives: Archives,
        gateways: Gateways,
        *,
        looks_at_memory: bool,
    ) -> None:
        self._torchserve = torchserve
        self._archives = archives
        self._gateways = gateways
        self._looks_at_memory = looks_at_memory

    def take(self, step: Step) -> None:
        """Take a step and wait for its end. Raises StepError."""
        take: dict[type[Step], Callable[..., None]] = {
            Fetch: self._fetch,
            Register: self._register,
            Scale: self._scale,
            SetDefault: self._set_default,
            Unload: self._unload,
        }
        try:
            take[type(step)](step)
        except (FetchError, TorchServeError) as exc:
            raise StepError(str(exc)) from exc

    def _fetch(self, step: Fetch) -> None:
        name = file_name(step.model, step.version, step.sha256)
        url = self._gateways.archive_url(step.sha256)
        self._archives.fetch(url, self._gateways.headers, name, step.sha256, step.size)

    def _register(self, step: Register) -> None:
        try:
            self._torchserve.register(self._archives.name(step.sha256))
        except ConflictError:
            pass  # a step before was cut off after TorchServe had done it
        except TorchServeError:
            self._archives.check(step.sha256)  # one that vanished or rotted is fetched anew
            raise

    def _scale(self, step: Scale) -> None:
        known = self._torchserve.version(step.model, step.version)
        if step.workers > known.wanted:
            self._scale_up(step, known.wanted, known.pids)
        elif step.workers == 0:
            self._torchserve.wait_until_idle(step.model, step.version)
            self._torchserve.scale(step.model, step.version, 0)
        else:
            ended = known.pids[step.workers :]
            self._torchserve.wait_until_idle(step.model, step.version, ended)
            self._torchserve.scale(step.model, step.version, step.workers)

    def _scale_up(self, step: Scale, before: int, pids: tuple[int, ...]) -> None:
        if self._looks_at_memory and (why := shortage(free_mb(), step.workers - before, pids)):
            raise StepError(why)
        try:
            self._torchserve.scale(step.model, step.version, step.workers)
        except TorchServeError:
            # Or TorchServe would start workers that end at once, again and again.
            with suppress(TorchServeError):
                self._torchserve.scale(step.model, step.version, before)
            raise

    def _set_default(self, step: SetDefault) -> None:
        self._torchserve.set_default(step.model, step.version)

    def _unload(self, step: Unload) -> None:
        self._torchserve.wait_until_idle(step.model, step.version)
        self._torchserve.scale(step.model, step.version, 0)
        self._torchserve.unregister(step.model, step.version)


def words(step: Step) -> str:
    """What a step does, for the progress line of a person who waits."""
    name = f"{step.model} {step.version}"
    if isinstance(step, Fetch):
        return f"fetching {name} ({step.size / 1e6:.0f} MB)"
    if isinstance(step, Register):
        return f"loading {name}"
    if isinstance(step, Scale):
        return f"scaling {name} to {step.workers} workers"
    if isinstance(step, SetDefault):
        return f"making {name} the default"
    return f"unloading {name}"
