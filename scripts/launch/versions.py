"""The operations on the served versions: list, add, make default, scale, remove."""

import shutil
import tempfile
import time
from pathlib import Path

from scripts.archives.archive import MANIFEST, MODEL, DamagedArchiveError, file_name, read_facts
from scripts.launch.management import ManagementClient, ManagementError, Version

DRAIN_S = 30.0


class VersionError(ValueError):
    """The command cannot be carried out; the text says what to do."""


def list_versions(management: ManagementClient) -> str:
    """A table of the versions."""
    rows = [_row(each) for each in management.versions()]
    head = f"{'VERSION':<10} {'DEFAULT':<8} {'WORKERS':<8} {'STATUS':<8} ARCHIVE"
    return "\n".join([head, *rows])


def add(management: ManagementClient, archive: str, store: Path, workers: int) -> str:
    """Load an archive; if its workers do not start, unload it again."""
    given = _locate(archive, store)
    name, version = read_identity(given)
    if name != MODEL:
        raise VersionError(f"{given.name} holds the model {name}, not {MODEL}")
    if any(each.version == version for each in management.versions()):
        raise VersionError(
            f"version {version} is loaded already: build the archive with another --version, "
            f"or remove it first with `segserve versions remove {version}`"
        )
    path = _in_store(given, store, file_name(name, version))
    try:
        management.register(path.name, workers)
    except ManagementError as exc:
        if any(each.version == version for each in management.versions()):
            management.unregister(version)
        raise VersionError(
            f"{path.name} cannot be served: {exc}; TorchServe's log has more"
        ) from exc
    return f"version {version} is loaded with {_count(workers)}"


def make_default(management: ManagementClient, version: str) -> str:
    """Make a version the default; refused without ready workers: requests would fail."""
    found = management.version(version)
    if found.ready == 0:
        raise VersionError(
            f"version {version} has no worker that is ready: "
            f"`segserve versions scale {version} 2` first"
        )
    management.set_default(version)
    return f"version {version} is the default"


def scale(management: ManagementClient, version: str, workers: int) -> str:
    """Set the number of workers; refused where the default version would have none."""
    found = management.version(version)
    if workers < 0 or (workers == 0 and found.default):
        raise VersionError(f"version {version} needs at least {int(found.default)} workers")
    if workers < found.workers:
        _drain(management, version)
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
    _drain(management, version)
    management.unregister(version)
    return f"version {version} is unloaded; its archive stays in the model store"


def read_identity(path: Path) -> tuple[str, str]:
    """(model name, version) from an archive's manifest. Raises VersionError for anything else."""
    try:
        model = read_facts(path, MANIFEST).get("model")
    except FileNotFoundError as exc:
        raise VersionError(f"{path} does not exist; build it with `segserve build`") from exc
    except DamagedArchiveError as exc:
        raise VersionError(str(exc)) from exc
    if not isinstance(model, dict) or not {"modelName", "modelVersion"} <= model.keys():
        raise VersionError(f"{path} is not a model archive (its manifest names no version)")
    return str(model["modelName"]), str(model["modelVersion"])


def _locate(archive: str, store: Path) -> Path:
    given = Path(archive)
    return store / archive if not given.exists() and given.name == archive else given


def _in_store(given: Path, store: Path, name: str) -> Path:
    """The archive's path in the model store, after a copy if it lies elsewhere."""
    if given.resolve().parent == store.resolve():
        return given
    # TorchServe loads bare file names of its store only; one name per version.
    target = store / name
    if target.exists():
        raise VersionError(f"{target.name} is in the model store already; add it by that name")
    with tempfile.NamedTemporaryFile(dir=store, suffix=".building", delete=False) as copy:
        shutil.copyfile(given, copy.name)
    return Path(copy.name).rename(target)


def _drain(management: ManagementClient, version: str) -> None:
    """Wait until the version's queue is empty: TorchServe ends workers at once."""
    end = time.monotonic() + DRAIN_S
    while management.version(version).pending and time.monotonic() < end:
        time.sleep(0.2)  # polling another process


def _count(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"


def _row(version: Version) -> str:
    status = "ready" if version.ready else "down"
    default = "yes" if version.default else ""
    workers = f"{version.ready}/{version.workers}"
    return f"{version.version:<10} {default:<8} {workers:<8} {status:<8} {version.archive}"
