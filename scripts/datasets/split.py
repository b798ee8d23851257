"""The split of a folder into training and validation images."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.datasets.voc import IMAGES, DataError, LabelledImage, list_pairs, read_names

TRUSTED = "real.txt"  # names of the pictures with masks drawn by people
VALIDATION = "validation.txt"  # names of the pictures that were not trained on
HELD_OUT = 10  # one picture in so many, where no folder for the validation is given


@dataclass(frozen=True)
class Split:
    """Disjoint training and validation images, and the names of the trusted training masks."""

    train: list[LabelledImage]
    validation: list[LabelledImage]
    trusted: frozenset[str]


def digest(chosen: Split) -> str:
    """A hexadecimal SHA-256 over the names and sizes of the files."""
    sums = hashlib.sha256()
    for pair in (*chosen.train, *chosen.validation):
        sizes = f"{pair.image.stat().st_size} {pair.mask.stat().st_size}"
        sums.update(f"{pair.name} {sizes}\n".encode())
    return sums.hexdigest()


def write_names(path: Path, pairs: Sequence[LabelledImage]) -> None:
    """Write the names of the images, one a line, for ``read_names``."""
    path.write_text("".join(f"{pair.name}\n" for pair in pairs))


def split(folder: Path, validation: Path | None) -> Split:
    """Read the layout of ``folder``. Raises DataError.

    It is a VOC folder, or holds two of them, ``train`` and, unless ``validation`` is another one,
    ``val``. Without any folder for the validation every tenth picture (by chance, always the same)
    is held out.
    """
    if not (folder / IMAGES).is_dir() and (folder / "train").is_dir():
        validation = folder / "val" if validation is None else validation
        folder = folder / "train"
    pairs = list_pairs(folder)
    names = folder / TRUSTED
    trusted = read_names(names, pairs) if names.exists() else frozenset()
    if validation is not None:
        return Split(pairs, list_pairs(validation), trusted)
    if len(pairs) < 2:
        raise DataError(f"{folder}: one picture cannot be trained on and validated with")
    chosen = np.random.default_rng(0).permutation(len(pairs))[: max(1, len(pairs) // HELD_OUT)]
    held = {int(index) for index in chosen}
    return Split(
        [pair for index, pair in enumerate(pairs) if index not in held],
        [pairs[index] for index in sorted(held)],
        trusted,
    )
