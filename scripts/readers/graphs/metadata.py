"""What exporters write into a ready graph about its input and its classes."""

import ast
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.networks.facts import Channels
from scripts.networks.given_facts import LARGEST_UNIT

LABELS = ("names", "labels", "classes", "class_names", "id2label", "categories")
MEANS = ("mean", "mean_values", "image_mean", "pixel_mean", "means")
DEVIATIONS = ("std", "scale_values", "image_std", "pixel_std", "stds")
SIZES = ("imgsz", "input_size", "image_size", "size", "input_shape")
ORDERS = ("channels", "channel_order", "color_mode", "color_format")
SMALLEST_SIDE, LARGEST_SIDE = 16, 8192  # pixels; other numbers are no sides
WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Metadata:
    """Facts that a file states; None where it does not. size: (height, width)."""

    labels: dict[int, str] | None = None
    mean: Triple | None = None
    std: Triple | None = None
    size: tuple[int, int] | None = None
    channels: Channels | None = None


def read_metadata(raw: Mapping[str, str]) -> Metadata:
    """Facts from an ONNX file's metadata_props, an IR's model_info or a TorchScript's config."""
    values = {key.lower(): text for key, text in raw.items()}
    mean, std = _normalisation(values)
    if _is_true(values, "embedded_processing"):  # the graph normalises by itself
        mean, std = (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)
    channels = _channels(values)
    if channels == "bgr" and mean and std:  # they stand in the network's order
        mean, std = mean[::-1], std[::-1]
    return Metadata(_sound(_labels(values)), mean, std, _size(values), channels)


def _sound(labels: dict[int, str] | None) -> dict[int, str] | None:
    """Labels that can be served: ids without gaps, and names that differ; else None."""
    if labels is None or sorted(labels) != list(range(len(labels))):
        return None
    names = {name.strip().casefold() for name in labels.values()} - {""}
    if len(names) != len(labels):
        return None
    return {index: name.strip() for index, name in sorted(labels.items())}


def _first(values: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((values[name] for name in names if values.get(name, "").strip()), None)


def _parsed(text: str) -> object:
    """A literal of JSON or Python; the text itself if it is neither."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return text


def _labels(values: Mapping[str, str]) -> dict[int, str] | None:
    """Class id -> name, from a dictionary, a list, or names between commas or blanks."""
    text = _first(values, LABELS)
    if text is None:
        return None
    found = _parsed(text)
    if isinstance(found, dict):
        try:
            named = {int(key): str(name) for key, name in found.items()}
        except ValueError:
            return None
        return dict(sorted(named.items()))
    if isinstance(found, list | tuple):
        return {index: str(name) for index, name in enumerate(found)}
    names = [name.strip() for name in text.split(",")] if "," in text else text.split()
    return dict(enumerate(name.replace("_", " ") if "," not in text else name for name in names))


def _numbers(text: str | None) -> list[float]:
    return [float(part) for part in re.findall(r"-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", text or "")]


def _triple(text: str | None) -> Triple | None:
    numbers = _numbers(text)
    if len(numbers) == 1:
        numbers *= 3
    is_sound = len(numbers) == 3 and all(map(math.isfinite, numbers))
    return (numbers[0], numbers[1], numbers[2]) if is_sound else None


def _normalisation(values: Mapping[str, str]) -> tuple[Triple | None, Triple | None]:
    """Mean and deviation for values in 0..1, whichever range the file means."""
    mean, std = _triple(_first(values, MEANS)), _triple(_first(values, DEVIATIONS))
    if mean is None and std is None:
        if "ultralytics" in (values.get("author", "") + values.get("description", "")).lower():
            return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        return None, None
    mean, std = mean or (0.0, 0.0, 0.0), std or (1.0, 1.0, 1.0)
    if std is not None and min(std) <= 0:
        return None, None
    if max((*mean, *std)) > LARGEST_UNIT or "mean_values" in values or "scale_values" in values:
        mean = (mean[0] / 255, mean[1] / 255, mean[2] / 255)
        std = (std[0] / 255, std[1] / 255, std[2] / 255)
    return mean, std


def _size(values: Mapping[str, str]) -> tuple[int, int] | None:
    found = _numbers(_first(values, SIZES))
    numbers = [int(number) for number in found if SMALLEST_SIDE <= number <= LARGEST_SIDE]
    if len(numbers) == 1:
        numbers *= 2
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


def _is_true(values: Mapping[str, str], name: str) -> bool:
    return WORDS.get(values.get(name, "").strip().lower(), False)


def _channels(values: Mapping[str, str]) -> Channels | None:
    """The order of the channels. Model API reverses pictures that OpenCV read, which are BGR."""
    text = (_first(values, ORDERS) or "").strip().lower()
    if text in ("rgb", "bgr"):
        return "bgr" if text == "bgr" else "rgb"
    reverse = WORDS.get(values.get("reverse_input_channels", "").strip().lower())
    if reverse is None:
        return None
    if _is_true(values, "embedded_processing"):  # the graph itself takes BGR, and reverses it
        return "bgr"
    return "rgb" if reverse else "bgr"
