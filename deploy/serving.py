"""Start of the serving container: offer the image's archives, then become TorchServe.

The model store is a volume, so that versions added later outlive the container. Docker fills a
volume from the image only once; an archive of a newer image has to be copied here.
"""

import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

ARCHIVES = Path("/app/archives")
MODEL_STORE = Path("/app/model_store")
# File name -> SHA-256 of the archives that images put into the store.
RECORD = ".from-images.json"
PROVENANCE = "provenance.json"


def offer(archive: Path, store: Path) -> None:
    """Copy one archive into the store, atomically, unless that would replace one of another origin.

    Replaced are archives of former images, and those of the same weights.
    """
    target = store / archive.name
    record = _read_record(store)
    digest = _sha256(archive)
    if target.is_file() and target.stat().st_size:
        there = _sha256(target)
        if there == digest:
            return
        if record.get(archive.name) != there and not _is_of_same_weights(archive, target):
            print(
                f"model store: {archive.name} is not the image's, and is served as it is; "
                "delete it to have the image's",
                flush=True,
            )
            return
    _replace(target, lambda partial: copyfile(archive, partial))
    text = json.dumps({**record, archive.name: digest})
    _replace(store / RECORD, lambda partial: partial.write_text(text))
    print(f"model store: {archive.name} taken from the image", flush=True)


def _replace(target: Path, write: Callable[[Path], object]) -> None:
    partial = target.with_name(f"{target.name}.building")
    try:
        write(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _read_record(store: Path) -> dict[str, str]:
    try:
        record = json.loads((store / RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_of_same_weights(archive: Path, target: Path) -> bool:
    """Whether both are Segserve's, and were built from the same weights."""
    ours, theirs = _weights(archive), _weights(target)
    return ours is not None and ours == theirs


def _weights(path: Path) -> object:
    try:
        with zipfile.ZipFile(path) as file:
            return json.loads(file.read(PROVENANCE))["weights"]["sha256"]
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError):
        return None


def main() -> None:
    """Replace this process by the launcher, which replaces itself by Java."""
    archives = sorted(ARCHIVES.glob("*.mar"))
    try:
        for archive in archives:
            offer(archive, MODEL_STORE)
    except OSError as exc:
        sys.exit(f"model store: {exc.filename} cannot be written: {exc.strerror}")
    # The first one is the default version.
    wanted = os.environ.get("SEGSERVE_SERVE_ARCHIVES", "").split()
    names = wanted or [archive.name for archive in archives]
    os.chdir("/app")
    os.execv(sys.executable, [sys.executable, "-m", "scripts.launch.torchserve", *names])  # noqa: S606


if __name__ == "__main__":
    main()
