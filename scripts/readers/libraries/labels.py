"""Names of the classes, from the flag or from what a library saved."""

from collections.abc import Sequence

from deeplab.spec import InvalidSpecError, read_labels
from scripts.networks.architectures import VOC_LABELS
from scripts.networks.checkpoints import CheckpointError
from scripts.networks.facts import ReadOptions


def labels_of(options: ReadOptions, classes: int, names: Sequence[str]) -> dict[int, str]:
    """Class id -> name: of --labels, else the saved names, else VOC's where their number fits.

    Saved names are made unique. Raises CheckpointError.
    """
    if options.labels is None and len(names) == classes:
        return _unique(names)
    try:
        labels = read_labels(options.labels or VOC_LABELS)
    except InvalidSpecError as exc:
        raise CheckpointError(f"--labels {exc}") from exc
    if len(labels) != classes:
        given = options.labels
        which = f"--labels {given} names {len(labels)}" if given else "no --labels are given"
        raise CheckpointError(
            f"the weights have {classes} classes, but {which}: "
            f'pass --labels labels.json with {{"0": "background", ..., "{classes - 1}": "..."}}'
        )
    return labels


def _unique(names: Sequence[str]) -> dict[int, str]:
    labels: dict[int, str] = {}
    taken: set[str] = set()
    for number, name in enumerate(names):
        plain = str(name).strip() or f"class {number}"
        label = plain if plain.casefold() not in taken else f"{plain} ({number})"
        taken.add(label.casefold())
        labels[number] = label
    return labels
