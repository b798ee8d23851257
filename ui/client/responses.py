"""What the gateway tells the page, as frozen values whose types are checked when they are made."""

from collections.abc import Mapping

from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class Readiness:
    """The default model and version as GET /readyz reports them when they serve."""

    model: str
    version: str


@dataclass(frozen=True)
class ModelVersion:
    """One version of a model; ready means that its workers are up."""

    version: str
    default: bool
    ready: bool


@dataclass(frozen=True)
class Model:
    """A served model and its versions."""

    name: str
    versions: tuple[ModelVersion, ...]


@dataclass(frozen=True)
class Label:
    """A class of the model: its id in the mask, its name, '#rrggbb' for each palette."""

    id: int
    name: str
    colours: Mapping[str, str]


@dataclass(frozen=True)
class Segmentation:
    """A mask and the facts that came with it; class_pixels counts the pixels of each class id."""

    mask_png: bytes
    class_pixels: Mapping[int, int]
    model: str
    version: str
    request_id: str
    elapsed_s: float


@dataclass(frozen=True)
class Problem:
    """Why there is no answer, as the gateway words it."""

    title: str
    detail: str
    request_id: str
