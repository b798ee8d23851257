"""The results of a training: weights, labels, curve, and a record of its options."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from safetensors.torch import save
from torch import Tensor

from scripts.archives.atomic_write import atomic_write

WEIGHTS, LABELS, CURVE, PLOT, FACTS = (
    "model.safetensors",
    "labels.json",
    "curve.csv",
    "curve.png",
    "training.json",
)


def write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write the averaged weights in fp16, for the export. Raises OSError."""
    halved = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in weights.items()
    }
    with atomic_write(path) as file:
        file.write(save(halved))
        os.fchmod(file.fileno(), 0o644)  # a container's own user must be able to read it


def write_curve(folder: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write the curve as CSV and PNG; one row for each epoch."""
    with (folder / CURVE).open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    _draw(rows).savefig(folder / PLOT, dpi=100)


def write_facts(folder: Path, labels: Mapping[int, str], facts: dict[str, Any]) -> None:
    """Write the labels and the record of the training."""
    names = {str(index): name for index, name in labels.items()}
    (folder / LABELS).write_text(json.dumps(names, indent=2) + "\n")
    record = {**facts, "libraries": {"torch": torch.__version__, "matplotlib": mpl.__version__}}
    (folder / FACTS).write_text(json.dumps(record, indent=2) + "\n")


def _draw(rows: Sequence[dict[str, float]]) -> Figure:
    """Mean IoU and loss over the epochs."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axis = figure.subplots()
    epochs = [row["epoch"] for row in rows]
    axis.plot(epochs, [row["miou"] for row in rows], "o-", color="#1f6f8b")
    axis.set(xlabel="epoch", ylabel="mean IoU on the validation pictures", ylim=(0, 1))
    other = axis.twinx()
    other.plot(epochs, [row["loss"] for row in rows], "s--", color="#b5532a", markersize=4)
    other.set(ylabel="training loss (dashed)", ylim=(0, None))
    axis.grid(alpha=0.3)
    return figure
