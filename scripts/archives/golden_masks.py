"""Golden masks: photographs in an archive, with the masks that its network gave of them here.

A gateway sends the photographs to the nodes before it makes the version stable, and compares.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from deeplab.decode import MAX_PIXELS
from deeplab.engines import load_engine
from deeplab.pipeline import Tiling, segment
from deeplab.spec import has_background, read_labels, read_spec
from scripts.archives.paths import MODEL_STORE

FOLDER = "golden"
PHOTOGRAPHS = MODEL_STORE / "photographs"
# Those of the public domain: they may be passed on with any network.
NAMES = ("moose.jpg", "motorcycle.jpg", "rocket.jpg")
SOURCES = "SOURCES.md"


def write_golden_masks(root: Path) -> None:
    """Write photographs and masks into the archive's content below ``root``.

    They are computed as a worker does it, with the network, labels and model.json there.
    """
    spec = read_spec(root / "model.json")
    labels = read_labels(root / "deeplab" / "labels.json")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    engine = load_engine(root / "network", spec, threads=0, device=device)
    tiling = Tiling(default=spec.tile, has_background=has_background(labels))
    folder = root / FOLDER
    folder.mkdir()
    for name in NAMES:
        shutil.copyfile(PHOTOGRAPHS / name, folder / name)
        data = (folder / name).read_bytes()
        mask = segment(data, engine, spec.input, MAX_PIXELS, tiling=tiling)
        (folder / name).with_suffix(".png").write_bytes(mask.png)
    (folder / SOURCES).write_text("\n".join(_sources()) + "\n", encoding="utf-8")


def _sources() -> Iterator[str]:
    """The rows of the photographs in their table of authors and licences."""
    for line in (PHOTOGRAPHS / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith(("| file", "| ---", *(f"| `{name}`" for name in NAMES))):
            yield line
