"""Preprocessing of segmentation_models.pytorch's encoders, without its download."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scripts.networks.facts import MEAN, STD
from scripts.readers.libraries.packages import imported

Triple = tuple[float, float, float]
HALVES: Triple = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Recipe:
    """Mean and deviation per RGB channel, for values in 0..1, and where they stand."""

    mean: Triple
    std: Triple
    source: str
    channels: Literal["rgb", "bgr"] = "rgb"


# Encoders by the start of their names, that were not trained with ImageNet's own.
OTHERS: dict[str, tuple[Triple, Triple]] = {
    "inceptionresnetv2": (HALVES, HALVES),
    "inceptionv4": (HALVES, HALVES),
    "xception": (HALVES, HALVES),
    "dpn": ((124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3),
}


def recipe_of(encoder: str) -> Recipe:
    """The encoder's own preprocessing, from what is on this machine.

    The library asks a server for it, even where the weights are all here: its copy on this machine
    is taken if there is one, else the published values.
    """
    kept = _universal(encoder) if encoder.startswith("tu-") else _downloaded(encoder)
    if kept is not None:
        return _from_settings(kept, f"segmentation_models.pytorch's preprocessing of {encoder}")
    mean, std = next((OTHERS[name] for name in OTHERS if encoder.startswith(name)), (MEAN, STD))
    return Recipe(mean, std, f"the published recipe of {encoder}")


def _universal(encoder: str) -> Mapping[str, Any] | None:
    """timm's encoders have theirs in the package."""
    library = imported("segmentation_models_pytorch", "segmentation-models-pytorch", encoder)
    try:
        settings: Mapping[str, Any] = library.encoders.get_preprocessing_params(encoder)
    except (ValueError, RuntimeError, OSError):
        return None
    return settings


def _downloaded(encoder: str) -> Mapping[str, Any] | None:
    """The file that the library downloaded with the encoder's ImageNet weights, if it did."""
    library = imported("segmentation_models_pytorch", "segmentation-models-pytorch", encoder)
    hub = imported("huggingface_hub", "huggingface-hub", encoder)
    known = library.encoders.encoders.get(encoder, {}).get("pretrained_settings", {})
    settings = known.get("imagenet")
    if settings is None:
        return None
    file = hub.try_to_load_from_cache(
        settings["repo_id"], "config.json", revision=settings["revision"]
    )
    if not isinstance(file, str):
        return None
    content: Mapping[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
    return content


def _from_settings(settings: Mapping[str, Any], source: str) -> Recipe:
    """For values in 0..1, per RGB channel, whatever range and order the encoder takes."""
    top = float(list(settings.get("input_range", [0, 1]))[1])
    mean, std = (_scaled(settings[name], top) for name in ("mean", "std"))
    if settings.get("input_space", "RGB") == "BGR":
        return Recipe(mean[::-1], std[::-1], source, "bgr")
    return Recipe(mean, std, source)


def _scaled(values: Any, top: float) -> Triple:
    first, second, third = (float(each) / top for each in values)
    return first, second, third
