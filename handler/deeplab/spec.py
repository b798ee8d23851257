"""What the model is: the facts that travel in the archive beside the network."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

EngineName = Literal["openvino", "torch"]
Precision = Literal["f32", "bf16", "int8"]
MAX_CLASSES = 255  # ids are 8-bit and 255 is the field's "ignore"


class InvalidSpecError(ValueError):
    """The archive's model.json or labels.json does not describe a model."""


@dataclass(frozen=True)
class InputSize:
    """The size at which a network sees pictures.

    long_side: length in pixels to which a picture's long side is resized, aspect kept.
    grid: both sides are multiples of it plus one, and the network's coarse output is upsampled
        with aligned corners; 1 where any size will do and corners are not aligned.
    """

    long_side: int
    grid: int

    @property
    def aligned(self) -> bool:
        """Whether the corners of the coarse output lie on the picture's."""
        return self.grid > 1


@dataclass(frozen=True)
class ModelSpec:
    """The model's facts; how it is operated (workers, batches, time-outs) is not among them.

    input: the size at which the network sees pictures.
    mean, std: per RGB channel, for values in 0..1; they are already inside the graph.
    precision: what the export proved; "bf16" is used only where the hardware has it, else f32;
        "int8" is of the convolutions, and everything else as with bf16.
    sha256: of the network's weights file in the archive, hexadecimal.
    """

    architecture: str
    classes: int
    input: InputSize
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    engine: EngineName
    precision: Precision
    artefact: str
    sha256: str

    def to_json(self) -> str:
        """The form that is stored in the archive as model.json."""
        return json.dumps(asdict(self), indent=2) + "\n"


def read_spec(path: Path) -> ModelSpec:
    """Read model.json; InvalidSpecError names what is wrong with it."""
    try:
        facts = json.loads(path.read_text())
        facts["mean"], facts["std"] = tuple(facts["mean"]), tuple(facts["std"])
        facts["input"] = InputSize(**facts["input"])
        return ModelSpec(**facts)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InvalidSpecError(f"{path.name} is not a model specification: {exc}") from exc


def read_labels(path: Path) -> dict[int, str]:
    """Read class id -> name.

    Ids must be 0..n-1 without gaps. Names must not be empty, have no blanks around them, and be
    unique whatever their case: requests tell them apart by nothing else.
    """
    try:
        raw = json.loads(path.read_text())
        labels = {int(key): value for key, value in raw.items()}
    except (OSError, ValueError, AttributeError) as exc:
        raise InvalidSpecError(f"{path} is not a JSON object of class id to name: {exc}") from exc
    if not labels or sorted(labels) != list(range(len(labels))) or len(labels) > MAX_CLASSES:
        raise InvalidSpecError(f"{path}: the class ids must be 0, 1, 2, ... (at most 255 classes)")
    if not all(isinstance(name, str) and name.strip() for name in labels.values()):
        raise InvalidSpecError(f"{path}: every class needs a name")
    _check_names(path, list(labels.values()))
    return dict(sorted(labels.items()))


def _check_names(path: Path, names: list[str]) -> None:
    blank = [name for name in names if name != name.strip()]
    if blank:
        raise InvalidSpecError(f"{path}: there are blanks before or after the name {blank[0]!r}")
    if len({name.casefold() for name in names}) != len(names):
        raise InvalidSpecError(f"{path}: two classes have the same name, whatever its case")
