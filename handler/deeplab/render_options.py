"""Render options: how the result is drawn and for which classes, as requested per image."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from deeplab.spec import Tile
from deeplab.tiles import LARGEST, SMALLEST

Colour = tuple[int, int, int]

MAX_ID = 255


class InvalidRenderOptionsError(ValueError):
    """The text does not describe render options."""


@dataclass(frozen=True)
class RenderOptions:
    """How to draw one result.

    render: the name of a form in deeplab.render.RENDERS.
    classes: ids to show, everything else is background (0); None means all classes.
    opacity: of an overlay's colours, 0..1.
    colours: (class id, RGB 0..255) of an overlay; classes without a colour are not tinted.
    confidence: whether to report the mean confidence of each class.
    tile: side of the tiles in which the network looks at the image, in pixels of the image, "auto"
        or "off"; None for the model's own default.
    """

    render: str = "labels"
    classes: frozenset[int] | None = None
    opacity: float = 0.5
    colours: tuple[tuple[int, Colour], ...] = ()
    confidence: bool = False
    tile: Tile | None = None


DEFAULT_OPTIONS = RenderOptions()


def read_render_options(text: str, renders: Iterable[str]) -> RenderOptions:
    """Parse the JSON of a request's header; raises InvalidRenderOptionsError.

    renders: the names that ``render`` may have.
    """
    try:
        fields = json.loads(text)
        colours = fields.get("colours", {})
        return RenderOptions(
            render=_render(fields.get("render", "labels"), tuple(renders)),
            classes=_classes(fields.get("classes")),
            opacity=_opacity(fields.get("opacity", 0.5)),
            colours=tuple((_id(key), _colour(value)) for key, value in sorted(colours.items())),
            confidence=bool(fields.get("confidence", False)),
            tile=_tile(fields.get("tile")),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise InvalidRenderOptionsError(f"The form of the answer is not valid: {exc}") from exc


def _render(value: str, renders: tuple[str, ...]) -> str:
    if value not in renders:
        raise ValueError(f"render is one of {', '.join(renders)}")
    return value


def _id(value: object) -> int:
    number = int(str(value))
    if not 0 <= number <= MAX_ID:
        raise ValueError("class ids lie in 0..255")
    return number


def _classes(value: list[object] | None) -> frozenset[int] | None:
    return None if value is None else frozenset(_id(each) for each in value)


def _tile(value: object) -> Tile | None:
    if value is None or value == "auto" or value == "off":
        return value
    side = int(str(value))
    if not SMALLEST <= side <= LARGEST:
        raise ValueError(f"tile is auto, off, or a number of pixels from {SMALLEST} to {LARGEST}")
    return side


def _opacity(value: object) -> float:
    opacity = float(str(value))
    if not 0 <= opacity <= 1:
        raise ValueError("opacity lies in 0..1")
    return opacity


def _colour(value: str) -> Colour:
    red, green, blue = bytes.fromhex(value)
    return red, green, blue
