"""Golden masks, written by the eager model: ``python -m tests.e2e.golden_masks``."""

from pathlib import Path

import numpy as np
from PIL import Image

from scripts.export.eager import eager
from scripts.export.export_check import EXAMPLES
from scripts.export.graphs import graph_of
from scripts.networks.architectures import ModelChoice
from scripts.readers.chain import load_checkpoint

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("astronaut", "cat")


def main() -> None:
    """Write the masks without the handler's decoding and resizing, so that they are independent."""
    checkpoint = load_checkpoint(ModelChoice())
    graph = graph_of(checkpoint)
    for name in NAMES:
        photograph = Image.open(EXAMPLES / f"{name}.jpg").convert("RGB")
        scale = checkpoint.input.long_side / max(photograph.size) / checkpoint.input.grid
        steps = (round(side * scale) for side in photograph.size)
        width, height = (step * checkpoint.input.grid + 1 for step in steps)
        small = photograph.resize((width, height), Image.Resampling.BILINEAR)
        ids = Image.fromarray(eager(graph, np.asarray(small)[np.newaxis]))
        full = ids.resize(photograph.size, Image.Resampling.NEAREST)
        full.save(GOLDEN / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
