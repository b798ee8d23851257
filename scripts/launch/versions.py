"""The operations on the served versions: list, add, make default, scale, remove."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.archives.archive import MODEL, DamagedArchiveError, file_name, read_identity
from scripts.archives.names import InvalidNameError, check_name
from scripts.archives.signals import deferring, undisturbed
from scripts.archives.store import StoreError, in_store, locked
from scripts.launch.drain import end_workers, wait_for_gateways, wait_until_idle
from scripts.launch.management import ConflictError, ManagementClient, ManagementError, Version
from scripts.launch.preflight import PreflightError, check_memory_of_workers
from scripts.launch.settings import Settings


class VersionError(ValueError):
    """The command cannot be carried out; the text says what to do."""


FAILURES = (
    DamagedArchiveError,
    InvalidNameError,
    ManagementError,
    PreflightError,
    StoreError,
    VersionError,
)


def list_versions(management: ManagementClient) -> str:
    """A table of the versions."""
    rows = [_row(each) for each in management.versions()]
    head = f"{'VERSION':<10} {'DEFAULT':<8} {'WORKERS':<8} {'STATUS':<8} ARCHIVE"
    return "\n".join([head, *rows])


def add(management: ManagementClient, archive: str, workers: int, settings: Settings) -> str:
    """Load an archive; if its workers do not start, unload it and remove the copy again."""
    store = settings.model_store
    given = _locate(archive, store)
    try:
        name, version = read_identity(given)
    except FileNotFoundError as exc:
        raise VersionError(f"{given} does not exist; build it with `segserve build`") from exc
    if name != MODEL:
        raise VersionError(f"{given.name} holds the model {name}, not {MODEL}")
    check_name(version)
    with locked(store):
        known = management.versions()
        if any(each.version == version for each in known):
            raise _is_loaded(version)
        check_memory_of_workers(settings, workers, [pid for each in known for pid in each.pids])
        with in_store(given, store, file_name(name, version)) as path:
            _load(management, path, version, workers)
    return f"version {version} is loaded with {_count(workers)}"


def _load(management: ManagementClient, path: Path, version: str, workers: int) -> None:
    """Register a version and start its workers; what fails or is interrupted is undone."""
    ours: list[str] = []

    def unload() -> None:
        for each in ours:
            management.unregister(each)

    with _undoing(unload):
        try:
            with deferring():
                management.register(path.name)
                ours.append(version)
            management.scale(version, workers)
        except ConflictError as exc:
            raise _is_loaded(version) from exc
        except ManagementError as exc:
            raise VersionError(
                f"{path.name} cannot be served: {exc}; TorchServe's log has more"
            ) from exc


def _is_loaded(version: str) -> VersionError:
    return VersionError(
        f"version {version} is loaded already: build the archive with another --version, "
        f"or remove it first with `segserve versions remove {version}`"
    )


@contextmanager
def _undoing(undo: Callable[[], None]) -> Iterator[None]:
    """Call ``undo`` if the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        with undisturbed(), suppress(ManagementError):
            undo()
        raise


def make_default(management: ManagementClient, version: str) -> str:
    """Make a version the default; refused without ready workers: requests would fail."""
    found = management.version(version)
    if found.ready == 0:
        raise VersionError(
            f"version {version} has no worker that is ready: "
            f"`segserve versions scale {version} 2` first"
        )
    management.set_default(version)
    # Then the former default version gets no requests any more and may be removed.
    wait_for_gateways()
    return f"version {version} is the default"


def scale(management: ManagementClient, version: str, workers: int, settings: Settings) -> str:
    """Set the number of workers; refused where the default version would have none."""
    found = management.version(version)
    if workers < 0 or (workers == 0 and found.default):
        raise VersionError(f"version {version} needs at least {int(found.default)} workers")
    if workers == 0:
        end_workers(management, version)
    elif workers <= found.workers:
        wait_until_idle(management, version, found.pids[workers:], quiet_s=0)
        management.scale(version, workers)
    else:
        check_memory_of_workers(settings, workers - found.workers, found.pids)
        with _undoing(lambda: management.scale(version, found.workers)):
            management.scale(version, workers)
    return f"version {version} has {_count(workers)}"


def remove(management: ManagementClient, version: str) -> str:
    """Unload a version; refused for the default version."""
    if management.version(version).default:
        raise VersionError(
            f"version {version} is the default and serves: "
            "make another one the default first, with "
            "`segserve versions default VERSION`"
        )
    end_workers(management, version)
    management.unregister(version)
    return f"version {version} is unloaded; its archive stays in the model store"


def _locate(archive: str, store: Path) -> Path:
    given = Path(archive)
    return store / archive if not given.exists() and given.name == archive else given


def _count(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"


def _row(version: Version) -> str:
    status = "ready" if version.ready else "down"
    default = "yes" if version.default else ""
    workers = f"{version.ready}/{version.workers}"
    return f"{version.version:<10} {default:<8} {workers:<8} {status:<8} {version.archive}"
