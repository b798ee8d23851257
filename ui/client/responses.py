"""The gateway's responses as frozen values, type-checked on construction."""

from collections.abc import Mapping

from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class Readiness:
    """The model and version that serve by default."""

    model: str
    version: str


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model; ready: its workers are up."""

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
    """A class of the model: its id in the mask, its name, its colour ('#rrggbb') by palette."""

    id: int
    name: str
    colours: Mapping[str, str]


@dataclass(frozen=True)
class Segmentation:
    """A mask and the response's headers.

    mask_png: an indexed PNG of the image's size; class_pixels: the number of pixels by class id;
    elapsed_s: seconds from sending the request to the end of the response.
    """

    mask_png: bytes
    class_pixels: Mapping[int, int]
    model: str
    version: str
    request_id: str
    elapsed_s: float


@dataclass(frozen=True)
class Problem:
    """A problem document (RFC 9457) of the gateway."""

    title: str
    detail: str
    request_id: str
