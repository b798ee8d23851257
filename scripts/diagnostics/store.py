"""Checks of the model store and its archives."""

import os
from collections.abc import Iterator
from pathlib import Path

from scripts.archives.archive import MANIFEST, DamagedArchiveError, read_facts
from scripts.diagnostics.finding import Finding, note, ok, wrong


def check_store(store: Path) -> Iterator[Finding]:
    """Check that the folder can be written to, and each of its archives."""
    if not store.exists():
        yield note("model store", f"{store} is not there yet: `segserve serve` makes it")
        return
    if not (store.is_dir() and os.access(store, os.R_OK | os.W_OK | os.X_OK)):
        yield wrong("model store", f"{store} cannot be written to: set --model-store")
        return
    archives = sorted(store.glob("*.mar"))
    if not archives:
        yield note("model store", f"{store} has no archive yet: `segserve serve` builds one")
    yield from (check_archive(path) for path in archives)


def check_archive(path: Path) -> Finding:
    """Check that an archive is undamaged and names its version."""
    try:
        model = read_facts(path, MANIFEST)["model"]
        name, version = model["modelName"], model["modelVersion"]  # type: ignore[index]  # a TypeError says so
    except (OSError, DamagedArchiveError, KeyError, TypeError) as exc:
        return wrong("archive", f"{exc}; `segserve build --force` replaces it, or delete {path}")
    return ok("archive", f"{path.name} is sound: {name} {version}")
