"""Validation of a training's images, with a report of the classes that never occur."""

from collections.abc import Iterable, Mapping, Sequence

from tqdm import tqdm

from scripts.datasets.voc import (
    IGNORE,
    DataError,
    InspectedImage,
    LabelledImage,
    class_pixels,
    inspect_pairs,
)


def inspect(
    pairs: Sequence[LabelledImage], labels: Mapping[int, str], purpose: str
) -> list[InspectedImage]:
    """Read all pairs with a progress bar; print the classes without a pixel. Raises DataError.

    labels: class id -> name. purpose: "train on" or "validate with".
    """

    def progress(found: Iterable[InspectedImage]) -> Iterable[InspectedImage]:
        what = f"checking what to {purpose}"
        bar: Iterable[InspectedImage] = tqdm(found, what, len(pairs), leave=False, disable=None)
        return bar

    inspected = inspect_pairs(pairs, len(labels), progress)
    shown = class_pixels(inspected)
    absent = [name for index, name in labels.items() if not shown[index]]
    if absent:
        print(f"no picture to {purpose} shows {', '.join(absent)}", flush=True)
    return inspected


def check_objects(inspected: Sequence[InspectedImage]) -> None:
    """Raise DataError if no mask has a class but 0: there is nothing to learn."""
    if not class_pixels(inspected)[1:IGNORE].any():
        raise DataError(
            f"{inspected[0].pair.mask.parent}: no class but 0 is shown in any of "
            f"{len(inspected)} masks; there is nothing to learn"
        )
