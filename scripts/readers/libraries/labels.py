"""Names of the classes, from the flag or from what a library saved."""

from collections.abc import Sequence

from scripts.networks.checkpoints import labels_for
from scripts.networks.facts import ReadOptions


def labels_of(options: ReadOptions, outputs: int, names: Sequence[str]) -> dict[int, str]:
    """Class id -> name: of --labels, else the saved names, else VOC's where their number fits.

    One output has two classes. Saved names are made unique. Raises CheckpointError.
    """
    if options.labels is None and len(names) == max(outputs, 2):
        return _unique(names)
    return labels_for(options.labels, outputs)


def _unique(names: Sequence[str]) -> dict[int, str]:
    labels: dict[int, str] = {}
    taken: set[str] = set()
    for number, name in enumerate(names):
        plain = str(name).strip() or f"class {number}"
        label = plain if plain.casefold() not in taken else f"{plain} ({number})"
        taken.add(label.casefold())
        labels[number] = label
    return labels
