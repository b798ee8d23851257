"""Start of the serving container: offer the image's archives, then become TorchServe.

The model store is a volume, so that versions added later outlive the container. Docker fills a
volume from the image only once; an archive of a newer image has to be copied here.
"""

import filecmp
import os
import sys
from pathlib import Path
from shutil import copyfile

ARCHIVES = Path("/app/archives")
MODEL_STORE = Path("/app/model_store")


def offer(archive: Path, store: Path) -> None:
    """Copy one archive into the store, atomically, unless the store has the same bytes."""
    target = store / archive.name
    if target.is_file() and filecmp.cmp(archive, target, shallow=False):
        return
    building = target.with_suffix(".building")
    copyfile(archive, building)
    building.replace(target)
    print(f"model store: {archive.name} taken from the image", flush=True)


def main() -> None:
    """Replace this process by the launcher, which replaces itself by Java."""
    archives = sorted(ARCHIVES.glob("*.mar"))
    for archive in archives:
        offer(archive, MODEL_STORE)
    # The first one is the default version.
    wanted = os.environ.get("SEGSERVE_SERVE_ARCHIVES", "").split()
    names = wanted or [archive.name for archive in archives]
    os.chdir("/app")
    os.execv(sys.executable, [sys.executable, "-m", "scripts.launch.torchserve", *names])  # noqa: S606


if __name__ == "__main__":
    main()
