"""What a caller wants of a picture: which of the forms of one result, and of which classes."""

import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

Render = Literal["labels", "confidence", "overlay", "cutout"]
Colour = tuple[int, int, int]

MAX_ID = 255


class InvalidFormError(ValueError):
    """The words are not those of a form."""


@dataclass(frozen=True)
class Form:
    """One form of the result.

    render: a mask of class ids, a map of confidences, the picture tinted, or the picture cut out.
    classes: the ids that count, everything else is background (0); None means every class.
    opacity: of an overlay's colours, 0..1.
    colours: class id -> RGB of an overlay's tints; ids without a colour stay as they are.
    confidence: whether the mean confidence of each class is wanted as a fact.
    """

    render: Render = "labels"
    classes: frozenset[int] | None = None
    opacity: float = 0.5
    colours: tuple[tuple[int, Colour], ...] = ()
    confidence: bool = False


LABELS = Form()


def read_form(text: str) -> Form:
    """The form that a request's header asks for, in JSON; raises InvalidFormError."""
    try:
        fields = json.loads(text)
        colours = fields.get("colours", {})
        return Form(
            render=_one_of(get_args(Render), fields.get("render", "labels")),
            classes=_classes(fields.get("classes")),
            opacity=_share(fields.get("opacity", 0.5)),
            colours=tuple((_id(key), _colour(value)) for key, value in sorted(colours.items())),
            confidence=bool(fields.get("confidence", False)),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise InvalidFormError(f"The form of the answer is not valid: {exc}") from exc


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


def _share(value: object) -> float:
    share = float(str(value))
    if not 0 <= share <= 1:
        raise ValueError("opacity lies in 0..1")
    return share


def _colour(value: str) -> Colour:
    red, green, blue = bytes.fromhex(value)
    return red, green, blue
