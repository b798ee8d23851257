"""Facts about the input from the image processor of a Hugging Face folder."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deeplab.spec import InputSize, Interpolation
from scripts.networks.facts import InputFacts

SOURCE = "preprocessor_config.json"
# Pillow's numbers for them, which the file holds.
RESAMPLING: dict[int, Interpolation] = {0: "nearest", 2: "bilinear", 3: "bicubic"}
LONGEST = 4096  # pixels; of a picture whose short side is resized to a length
DEFAULT_EDGE = 512
NATIVE = 2048  # pixels; the most where the processor does not resize

Triple = tuple[float, float, float]


def facts_of(settings: Mapping[str, Any], *, free: bool) -> InputFacts:
    """The facts. settings: the processor's own, with its defaults.

    free: whether the network can be traced for any size; otherwise pictures are stretched to one.
    """
    mean, std = _normalisation(settings)
    flips = bool(settings.get("do_flip_channel_order", False))
    if flips:
        mean, std = mean[::-1], std[::-1]
    height, width = fixed_size(settings)
    fixed = InputSize(max(height, width), fit="fixed", width=width, height=height)
    size = _size(settings) if free else fixed
    return InputFacts(
        input=replace(size, interpolation=_interpolation(settings)),
        mean=mean,
        std=std,
        channels="bgr" if flips else "rgb",
        sources={
            "size": _size_source(settings, size),
            **dict.fromkeys(("mean", "std", "channels", "interpolation"), SOURCE),
        },
    )


def fixed_size(settings: Mapping[str, Any]) -> tuple[int, int]:
    """(height, width) of the one size of a network that knows no other: as it was trained."""
    size = settings.get("crop_size") if settings.get("do_center_crop") else None
    size = size or settings.get("size") or {}
    edge = size.get("shortest_edge", size.get("longest_edge", DEFAULT_EDGE))
    return int(size.get("height", edge)), int(size.get("width", edge))


def _size_source(settings: Mapping[str, Any], size: InputSize) -> str:
    if size.fit != "fixed":
        # A crop would leave the margins without a class, and changes no scale.
        return SOURCE + (", without its centre crop" if settings.get("do_center_crop") else "")
    stretched = settings.get("do_center_crop") or "height" not in (settings.get("size") or {})
    return SOURCE + (", stretched to it as the network takes one size" if stretched else "")


def _interpolation(settings: Mapping[str, Any]) -> Interpolation:
    resample = settings.get("resample")
    return RESAMPLING.get(int(resample) if resample is not None else 2, "bilinear")


def _size(settings: Mapping[str, Any]) -> InputSize:
    size = settings.get("size") or {}
    if not settings.get("do_resize", True):
        return InputSize(NATIVE, fit="native")
    if "shortest_edge" in size:
        longest = int(size.get("longest_edge") or LONGEST)
        return InputSize(
            longest, fit="short_side", short_side=int(size["shortest_edge"]), rounding="down"
        )
    if "longest_edge" in size:
        return InputSize(int(size["longest_edge"]))
    height, width = int(size["height"]), int(size["width"])
    return InputSize(max(height, width), fit="fixed", width=width, height=height)


def _normalisation(settings: Mapping[str, Any]) -> tuple[Triple, Triple]:
    """(mean, std) for values in 0..1, in the order in which the network gets its channels."""
    rescale = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    # MobileViT's processor holds a mean that it does not use: it has no do_normalize.
    normalises = settings.get("do_normalize", False)
    mean, std = (settings["image_mean"], settings["image_std"]) if normalises else (0.0, 1.0)
    factor = float(rescale) * 255
    return _triple(mean, factor), _triple(std, factor)


def _triple(values: Any, factor: float) -> Triple:
    each = list(values) if isinstance(values, list | tuple) else [values] * 3
    first, second, third = (float(value) / factor for value in each)
    return first, second, third
