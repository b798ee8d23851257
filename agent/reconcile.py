"""The next step from what is served to what should be: a pure function."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agent.failures import Failure, Key, wanted_of
from agent.messages import Desired, WantedModel, WantedVersion

# Every gateway follows a change within two seconds; until then it may still send images here.
GATEWAYS_S = 3.0


@dataclass(frozen=True)
class Loaded:
    """A version as TorchServe holds it.

    sha256: of its archive. wanted, ready: workers that it was given, and that are ready.
    """

    sha256: str
    wanted: int
    ready: int
    loaded_at: str | None = None


@dataclass(frozen=True)
class Actual:
    """What this node has.

    models: name -> version -> what is loaded. defaults: name -> TorchServe's default version.
    archives: SHA-256 of the sound archives on this node's disk.
    """

    models: Mapping[str, Mapping[str, Loaded]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    archives: frozenset[str] = frozenset()

    def find(self, key: Key) -> Loaded | None:
        """What is loaded under a model and version."""
        return self.models.get(key[0], {}).get(key[1])


@dataclass(frozen=True)
class Memory:
    """What the agent remembers between two looks.

    failures: by model and version. surplus_since: since when workers of a version, or all of it,
    are no longer wanted.
    """

    failures: Mapping[Key, Failure] = field(default_factory=dict)
    surplus_since: Mapping[Key, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Fetch:
    """Get an archive from the gateway."""

    model: str
    version: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Register:
    """Have TorchServe load an archive, without workers."""

    model: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Scale:
    """Give a version this number of workers; fewer than before once those too many are idle."""

    model: str
    version: str
    workers: int


@dataclass(frozen=True)
class SetDefault:
    """Make a version TorchServe's default: a default version cannot be unloaded."""

    model: str
    version: str


@dataclass(frozen=True)
class Unload:
    """Let a version finish what it computes, and forget it."""

    model: str
    version: str


Step = Fetch | Register | Scale | SetDefault | Unload


def plan(desired: Desired, actual: Actual, memory: Memory, now: float, workers: int) -> Step | None:
    """The next step; None where everything is as it should be, or must wait.

    What adds capacity comes first, the default version's before all; then what takes it away.
    now: on the monotonic clock. workers: of a version for which the registry names no number.
    """
    steps = (
        *_additions(desired, actual, memory, now, workers),
        *_defaults(desired, actual),
        *_removals(desired, actual, memory, now, workers),
    )
    return next(iter(steps), None)


def surplus(desired: Desired, actual: Actual, workers: int) -> set[Key]:
    """The versions that have more than they should: workers, or their place here at all."""
    return {
        (model, version)
        for model, versions in actual.models.items()
        for version, loaded in versions.items()
        if _is_surplus(wanted_of(desired, (model, version)), loaded, workers)
    }


def _is_surplus(wanted: WantedVersion | None, loaded: Loaded, workers: int) -> bool:
    if wanted is None or wanted.sha256 != loaded.sha256:
        return True
    return loaded.wanted > _count(wanted, workers)


def _count(wanted: WantedVersion, workers: int) -> int:
    return workers if wanted.workers is None else wanted.workers


def _in_order(model: WantedModel) -> list[str]:
    """The versions, TorchServe's default first: it serves most."""
    return sorted(model.versions, key=lambda version: (version != model.default, version))


def _additions(
    desired: Desired, actual: Actual, memory: Memory, now: float, workers: int
) -> Iterator[Step]:
    for name, model in desired.models.items():
        for version in _in_order(model):
            wanted, key = model.versions[version], (name, version)
            failure = memory.failures.get(key)
            if failure and failure.sha256 == wanted.sha256 and not failure.is_due(now):
                continue
            loaded = actual.find(key)
            if wanted.sha256 not in actual.archives:
                yield Fetch(name, version, wanted.sha256, wanted.size)
            elif loaded is None:
                yield Register(name, version, wanted.sha256)
            elif loaded.sha256 == wanted.sha256 and loaded.wanted < (
                count := _count(wanted, workers)
            ):
                yield Scale(name, version, count)


def _defaults(desired: Desired, actual: Actual) -> Iterator[Step]:
    for name, model in desired.models.items():
        if model.default is None or actual.defaults.get(name) in (None, model.default):
            continue
        loaded = actual.find((name, model.default))
        if (
            loaded is not None
            and loaded.ready
            and _is_current(desired, (name, model.default), loaded)
        ):
            yield SetDefault(name, model.default)


def _removals(
    desired: Desired, actual: Actual, memory: Memory, now: float, workers: int
) -> Iterator[Step]:
    for name, version in sorted(surplus(desired, actual, workers)):
        key = (name, version)
        since = memory.surplus_since.get(key)
        if since is None or now - since < GATEWAYS_S:
            continue
        wanted, loaded = wanted_of(desired, key), actual.models[name][version]
        if wanted is not None and wanted.sha256 == loaded.sha256:
            yield Scale(name, version, _count(wanted, workers))
        elif wanted is not None and wanted.sha256 not in actual.archives:
            continue  # what comes in its place could not be fetched: it serves on
        elif not _is_kept_as_default(actual, key):
            yield Unload(name, version)
        elif (heir := _heir(desired, actual, key)) is not None:
            yield SetDefault(name, heir)


def _is_kept_as_default(actual: Actual, key: Key) -> bool:
    """Whether TorchServe refuses to forget it: its default, while there are others."""
    name, version = key
    return actual.defaults.get(name) == version and len(actual.models[name]) > 1


def _heir(desired: Desired, actual: Actual, key: Key) -> str | None:
    """Return what can be the default in place of a version, so that TorchServe forgets this one.

    None where the default that is wanted will be ready, or no other version stays. One that is not
    ready is taken if there is no other: every request names its version.
    """
    name, version = key
    model = desired.models.get(name)
    if model is None or model.default not in (None, version):
        return None
    others = {
        each: loaded
        for each, loaded in actual.models[name].items()
        if each != version and _is_current(desired, (name, each), loaded)
    }
    return min(others, key=lambda each: (not others[each].ready, each), default=None)


def _is_current(desired: Desired, key: Key, loaded: Loaded) -> bool:
    """Whether what is loaded is wanted, and from this archive."""
    wanted = wanted_of(desired, key)
    return wanted is not None and wanted.sha256 == loaded.sha256
