"""Versions of the served model: list, add, default, scale, remove.

list                what TorchServe holds
add ARCHIVE         load a .mar (a path, or a name in the model store) and wait for its workers
default VERSION     have requests without a version go to it
scale VERSION N     set its number of workers
remove VERSION      unload it; refused for the default version
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.archives.archive import MANIFEST, MODEL, DamagedArchiveError, file_name, read_facts
from scripts.launch.management import ManagementClient, ManagementError, Version
from scripts.launch.settings import SettingError, Settings, read_settings

DRAIN_S = 30.0


class VersionError(ValueError):
    """The command cannot be carried out; the text says what to do."""


def list_versions(management: ManagementClient) -> str:
    """A table for people."""
    rows = [_row(each) for each in management.versions()]
    head = f"{'VERSION':<10} {'DEFAULT':<8} {'WORKERS':<8} {'STATUS':<8} ARCHIVE"
    return "\n".join([head, *rows])


def add(management: ManagementClient, archive: str, store: Path, workers: int) -> str:
    """Load an archive; if its workers do not start, nothing of it stays loaded."""
    given = _locate(archive, store)
    name, version = read_identity(given)
    if name != MODEL:
        raise VersionError(f"{given.name} holds the model {name}, not {MODEL}")
    if any(each.version == version for each in management.versions()):
        raise VersionError(
            f"version {version} is loaded already: build the archive with another --version, "
            f"or remove it first with `python -m scripts.launch.versions remove {version}`"
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
    """Refused for a version without workers: requests would fail."""
    found = management.version(version)
    if found.ready == 0:
        raise VersionError(
            f"version {version} has no worker that is ready: "
            f"`python -m scripts.launch.versions scale {version} 2` first"
        )
    management.set_default(version)
    return f"version {version} is the default"


def scale(management: ManagementClient, version: str, workers: int) -> str:
    """Refused where it would leave the default version without workers."""
    found = management.version(version)
    if workers < 0 or (workers == 0 and found.default):
        raise VersionError(f"version {version} needs at least {int(found.default)} workers")
    if workers < found.workers:
        _drain(management, version)
    management.scale(version, workers)
    return f"version {version} has {_count(workers)}"


def remove(management: ManagementClient, version: str) -> str:
    """Refused for the default version."""
    if management.version(version).default:
        raise VersionError(
            f"version {version} is the default and serves: "
            "make another one the default first, with "
            "`python -m scripts.launch.versions default VERSION`"
        )
    _drain(management, version)
    management.unregister(version)
    return f"version {version} is unloaded; its archive stays in the model store"


def read_identity(path: Path) -> tuple[str, str]:
    """(model name, version) from an archive's manifest. Raises VersionError for anything else."""
    try:
        model = read_facts(path, MANIFEST).get("model")
    except FileNotFoundError as exc:
        raise VersionError(
            f"{path} does not exist; build it with scripts.export.build_archive"
        ) from exc
    except DamagedArchiveError as exc:
        raise VersionError(str(exc)) from exc
    if not isinstance(model, dict) or not {"modelName", "modelVersion"} <= model.keys():
        raise VersionError(f"{path} is not a model archive (its manifest names no version)")
    return str(model["modelName"]), str(model["modelVersion"])


def _locate(archive: str, store: Path) -> Path:
    given = Path(archive)
    return store / archive if not given.exists() and given.name == archive else given


def _in_store(given: Path, store: Path, name: str) -> Path:
    """The archive inside the model store, copied there if it is elsewhere."""
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
    """TorchServe ends workers at once: wait until nothing is queued for them."""
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    adding = commands.add_parser("add")
    adding.add_argument("archive")
    adding.add_argument("--workers", type=int, default=None)
    commands.add_parser("default").add_argument("version")
    scaling = commands.add_parser("scale")
    scaling.add_argument("version")
    scaling.add_argument("workers", type=int)
    commands.add_parser("remove").add_argument("version")
    return parser


def run(options: argparse.Namespace, settings: Settings) -> str:
    """Carry out one command; what to tell the user."""
    url = f"http://{settings.torchserve_host}:{settings.management_port}"
    management = ManagementClient(url, MODEL)
    match options.command:
        case "list":
            return list_versions(management)
        case "add":
            workers = options.workers or settings.workers
            return add(management, options.archive, settings.model_store, workers)
        case "default":
            return make_default(management, options.version)
        case "scale":
            return scale(management, options.version, options.workers)
        case _:
            return remove(management, options.version)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 1 with one line on standard error for anything that is refused."""
    options = _parser().parse_args(arguments)
    try:
        print(run(options, read_settings()))
    except (VersionError, ManagementError, SettingError) as exc:
        print(f"versions: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
