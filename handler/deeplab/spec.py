"""Model specification: the facts about the network that travel with it in the archive."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

EngineName = Literal["openvino", "torch"]
Precision = Literal["f32", "bf16", "int8"]
Fit = Literal["long_side", "short_side", "fixed", "native"]
Interpolation = Literal["bilinear", "bicubic", "nearest"]
Rounding = Literal["auto", "down", "nearest", "up"]
Output = Literal["logits", "probabilities", "ids", "sigmoid"]
# The side of a tile in pixels of the image, chosen by the handler, or one look at the whole image.
Tile = Literal["auto", "off"] | int
SPEC_VERSION = 2  # 1 knew only the long side, and logits of at least two classes
BACKGROUND = ("background", "bg", "none", "nothing", "other", "void", "unlabeled", "unlabelled")
MAX_CLASSES = 255  # ids are 8-bit, and 255 means "ignore" in segmentation masks


class InvalidSpecError(ValueError):
    """The archive's model.json or labels.json does not describe a model."""


@dataclass(frozen=True)
class InputSize:
    """The size to which images are resized for a network, and how.

    fit: "long_side" or "short_side" is resized to its length, aspect kept; "fixed" stretches to
        width x height; "native" keeps the image's size.
    long_side: length of the long side in pixels; with another fit the most that it may be.
    grid: both sides are multiples of it plus one, and the network's coarse output is upsampled
        with aligned corners; 1 if any size will do and corners are not aligned.
    short_side: length of the short side in pixels, for that fit. width, height: for "fixed".
    multiple: both sides are rounded to multiples of it.
    rounding: how, where there is no grid. "down" cuts the fraction off, as torchvision does;
        "nearest" rounds halves up, as mmcv does; "auto" is "down" for "short_side" and "native"
        without a multiple, and rounds halves to even otherwise.
    antialias: whether shrinking averages all pixels, as Pillow and torchvision do and OpenCV
        does not. For "nearest", whether a pixel's centre counts, as in Pillow, or its corner, as
        in OpenCV.
    exact: whether all pixels of the image count. Otherwise a JPEG may be decoded at a fraction of
        its size, and a large image shrunk by a whole factor first: so the bundled networks are
        trained.
    """

    long_side: int
    grid: int = 1
    fit: Fit = "long_side"
    short_side: int = 0
    width: int = 0
    height: int = 0
    multiple: int = 1
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    rounding: Rounding = "auto"
    exact: bool = False

    @property
    def aligned(self) -> bool:
        """Whether the corners of the coarse output lie on the corners of the image."""
        return self.grid > 1


@dataclass(frozen=True)
class ModelSpec:
    """Facts about the model; its operation (workers, batches, timeouts) is configured elsewhere.

    input: the size to which images are resized.
    mean, std: per RGB channel, for values in 0..1; already part of the graph.
    channels: the order that the network was trained on; already part of the graph.
    output: what the original gives; the graph gives logits whatever it is.
    threshold: share above which the only class of a network with one output is present, 0..1.
    tile: how large images are looked at where a request does not say.
    precision: as verified by the export; "bf16" falls back to f32 on hardware without it; "int8"
        applies to the convolutions, everything else is computed as for bf16.
    artefact: name of the network's file in the archive.
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
    channels: Literal["rgb", "bgr"] = "rgb"
    output: Output = "logits"
    threshold: float = 0.5
    tile: Tile = "off"
    version: int = SPEC_VERSION

    def to_json(self) -> str:
        """The content of the archive's model.json."""
        return json.dumps(asdict(self), indent=2) + "\n"


def read_spec(path: Path) -> ModelSpec:
    """Read model.json of any version up to ours; raises an InvalidSpecError that names the fault.

    Version 1 has no number.
    """
    try:
        facts = json.loads(path.read_text())
        _check_version(path, int(facts.get("version", 1)))
        facts["mean"], facts["std"] = tuple(facts["mean"]), tuple(facts["std"])
        facts["input"] = InputSize(**facts["input"])
        return ModelSpec(**{**facts, "version": SPEC_VERSION})
    except InvalidSpecError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise InvalidSpecError(f"{path.name} is not a model specification: {exc}") from exc


def read_about(root: Path) -> dict[str, object]:
    """Read what the archive says about itself, for people: nothing here is needed to serve it.

    "spec": model.json. "provenance" and "card": the files of these names, if they are sound.
    """
    about: dict[str, object] = {}
    for key, name in (("spec", "model"), ("provenance", "provenance"), ("card", "card")):
        try:
            about[key] = json.loads((root / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            about[key] = None
    return about


def _check_version(path: Path, version: int) -> None:
    if version > SPEC_VERSION:
        raise InvalidSpecError(
            f"{path.name} has version {version}, {SPEC_VERSION} is the newest that is known here: "
            "the archive is newer than this Segserve. Use a newer one, or build the archive again."
        )


def read_labels(path: Path) -> dict[int, str]:
    """Read labels.json: class id -> name; raises InvalidSpecError.

    Ids must be 0..n-1 without gaps. Names must be non-empty, without surrounding blanks, and unique
    regardless of case: requests choose classes by them.
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
    check_names(path, list(labels.values()))
    return dict(sorted(labels.items()))


def has_background(labels: Mapping[int, str]) -> bool:
    """Whether class 0 is what is no object, by its name; two classes are an object and the rest."""
    return len(labels) == 2 or labels[0].casefold().strip("_") in BACKGROUND


def check_names(path: Path, names: list[str]) -> None:
    """Raise InvalidSpecError for surrounding blanks, and for names that differ in case only."""
    blank = [name for name in names if name != name.strip()]
    if blank:
        raise InvalidSpecError(f"{path}: there are blanks before or after the name {blank[0]!r}")
    if len({name.casefold() for name in names}) != len(names):
        raise InvalidSpecError(f"{path}: two classes have the same name, whatever its case")
