"""A TorchServe in memory that obeys the steps of a plan, with its rules about defaults."""

from dataclasses import dataclass, field

from agent.failures import Key
from agent.messages import Desired
from agent.reconcile import (
    Actual,
    Fetch,
    Loaded,
    Memory,
    Register,
    Scale,
    SetDefault,
    Step,
    Unload,
    plan,
    surplus,
)

WORKERS = 2
LONG_S = 5.0


@dataclass
class Node:
    """What a node holds. digests: archives on its disk. now: the clock in seconds."""

    models: dict[str, dict[str, Loaded]] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    digests: set[str] = field(default_factory=set)
    since: dict[Key, float] = field(default_factory=dict)
    now: float = 0.0
    steps: list[Step] = field(default_factory=list)
    desired: Desired = field(default_factory=Desired)

    @property
    def actual(self) -> Actual:
        """A snapshot of it."""
        models = {name: dict(versions) for name, versions in self.models.items() if versions}
        return Actual(models, dict(self.defaults), frozenset(self.digests))

    def run(self, desired: Desired, most: int = 200) -> list[Step]:
        """Take steps until there is none for a long time."""
        quiet, self.desired = 0, desired
        while quiet < 3:
            assert len(self.steps) < most, self.steps[-10:]
            found = surplus(desired, self.actual, WORKERS)
            self.since = {key: self.since.get(key, self.now) for key in found}
            step = plan(desired, self.actual, Memory({}, self.since), self.now, WORKERS)
            quiet = quiet + 1 if step is None else 0
            if step is not None:
                self.take(step)
            self.now += LONG_S
        return self.steps

    def _has_ready_heir(self, step: SetDefault) -> bool:
        wanted = self.desired.models[step.model].versions
        return any(
            each.ready and each.sha256 == wanted[name].sha256
            for name, each in self.models[step.model].items()
            if name in wanted and name != self.defaults[step.model]
        )

    def take(self, step: Step) -> None:
        """Obey as TorchServe does."""
        self.steps.append(step)
        versions = self.models.setdefault(step.model, {})
        if isinstance(step, Fetch):
            self.digests.add(step.sha256)
        elif isinstance(step, Register):
            assert step.version not in versions
            assert step.sha256 in self.digests
            versions[step.version] = Loaded(step.sha256, 0, 0)
            self.defaults.setdefault(step.model, step.version)
        elif isinstance(step, Scale):
            loaded = versions[step.version]
            versions[step.version] = Loaded(loaded.sha256, step.workers, step.workers)
        elif isinstance(step, SetDefault):
            assert versions[step.version].ready or not self._has_ready_heir(step)
            self.defaults[step.model] = step.version
        elif isinstance(step, Unload):
            assert self.defaults[step.model] != step.version or len(versions) == 1
            del versions[step.version]
            if not versions:
                del self.defaults[step.model]
