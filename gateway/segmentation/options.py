"""What a client wants of its image: a form of the result, of which classes, by which version."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.errors import InvalidRequestError
from gateway.masks.palettes import PALETTES

Render = Literal["colour", "labels", "overlay", "cutout", "confidence"]


@dataclass(frozen=True)
class Wish:
    """One request's wishes, as the client words them.

    model, version: those that shall answer; None means the default.
    render: what the PNG shows.
    classes: names or ids of the classes that count; empty means all.
    opacity: of an overlay's colours, 0..1.
    palette: name of the palette for colour maps and overlays.
    facts: whether names and the mean confidence of each class are wanted.
    """

    model: str | None = None
    version: str | None = None
    render: Render = "colour"
    classes: tuple[str, ...] = ()
    opacity: float = 0.5
    palette: str = "seed"
    facts: bool = False

    @property
    def needs_labels(self) -> bool:
        """Whether it cannot be fulfilled without knowing the names of the model's classes."""
        return bool(self.classes) or self.facts or self.render == "overlay"

    @property
    def is_plain(self) -> bool:
        """Whether the model's answer to a request without wishes will do."""
        return not self.facts and not self.classes and self.render in ("colour", "labels")


def folded(name: str) -> str:
    """A class's name as names are compared: without blanks around it, whatever the case."""
    return name.strip().casefold()


def class_ids(names: tuple[str, ...], labels: Mapping[int, str]) -> frozenset[int]:
    """The ids of classes given by name or id; raises InvalidRequestError that lists the known."""
    by_name = {folded(name): class_id for class_id, name in labels.items()}
    by_name |= {str(class_id): class_id for class_id in labels}
    unknown = [name for name in names if folded(name) not in by_name]
    if unknown:
        raise InvalidRequestError(
            f"The model knows no class {unknown[0][:64]!r}. It knows: {', '.join(labels.values())}."
        )
    return frozenset(by_name[folded(name)] for name in names)


def form_of(wish: Wish, labels: Mapping[int, str]) -> str | None:
    """The wish in the words of the model's handler (JSON for a header); None if it is plain.

    labels: class id -> name; may be empty unless the wish needs them.
    """
    if wish.is_plain:
        return None
    chosen = class_ids(wish.classes, labels) if wish.classes else None
    fields: dict[str, object] = {"render": "labels" if wish.render == "colour" else wish.render}
    if wish.facts:
        fields["confidence"] = True
    elif chosen is not None:  # facts are told apart here, so they need the whole mask
        fields["classes"] = sorted(chosen)
    if wish.render == "overlay":
        shown = chosen if chosen is not None else [class_id for class_id in labels if class_id]
        fields |= {"opacity": wish.opacity, "colours": _colours(wish.palette, sorted(shown))}
    return json.dumps(fields, separators=(",", ":"))


def _colours(palette: str, ids: list[int]) -> dict[str, str]:
    table = PALETTES[palette]
    return {str(class_id): table[3 * class_id : 3 * class_id + 3].hex() for class_id in ids}
