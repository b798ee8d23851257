"""Render options: how the result is drawn and for which classes, as requested per image."""

import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

Render = Literal["labels", "confidence", "overlay", "cutout"]
Colour = tuple[int, int, int]

MAX_ID = 255


class InvalidRenderOptionsError(ValueError):
    """The text does not describe render options."""


@dataclass(frozen=True)
class RenderOptions:
    """How to draw one result.

    render: a mask of class ids, a map of confidences, the image tinted, or the image cut out.
    classes: ids to show, everything else is background (0); None means all classes.
    opacity: of an overlay's colours, 0..1.
    colours: (class id, RGB 0..255) of an overlay; classes without a colour are not tinted.
    confidence: whether to report the mean confidence of each class.
    """

    render: Render = "labels"
    classes: frozenset[int] | None = None
    opacity: float = 0.5
    colours: tuple[tuple[int, Colour], ...] = ()
    confidence: bool = False


DEFAULT_OPTIONS = RenderOptions()


def read_render_options(text: str) -> RenderOptions:
    """Parse the JSON of a request's header; raises InvalidRenderOptionsError."""
    try:
        fields = json.loads(text)
        colours = fields.get("colours", {})
        return RenderOptions(
            render=_one_of(get_args(Render), fields.get("render", "labels")),
            classes=_classes(fields.get("classes")),
            opacity=_opacity(fields.get("opacity", 0.5)),
            colours=tuple((_id(key), _colour(value)) for key, value in sorted(colours.items())),
            confidence=bool(fields.get("confidence", False)),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise InvalidRenderOptionsError(f"The form of the answer is not valid: {exc}") from exc


def _one_of(known: tuple[Any, ...], value: object) -> Any:
    if value not in known:
        raise ValueError(f"render is one of {', '.join(known)}")
    return value


def _id(value: object) -> int:
    number = int(str(value))
    if not 0 <= number <= MAX_ID:
        raise ValueError("class ids lie in 0..255")
    return number


def _classes(value: list[object] | None) -> frozenset[int] | None:
    return None if value is None else frozenset(_id(each) for each in value)


def _opacity(value: object) -> float:
    opacity = float(str(value))
    if not 0 <= opacity <= 1:
        raise ValueError("opacity lies in 0..1")
    return opacity


def _colour(value: str) -> Colour:
    red, green, blue = bytes.fromhex(value)
    return red, green, blue
