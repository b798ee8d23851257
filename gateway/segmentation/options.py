"""Options of a segmentation: model version, output form, classes and palette."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import InvalidRequestError
from gateway.masks.palettes import PALETTES
from gateway.masks.renders import RENDERS, Render


@dataclass(frozen=True)
class SegmentationOptions:
    """The options of one request.

    model, version: None means the default.
    render: the output form of a PNG, a key of RENDERS.
    classes: names or ids of the classes to show; empty means all.
    opacity: of an overlay's colours, 0..1.
    palette: of colour maps and overlays, a key of PALETTES.
    facts: whether the response needs the names and mean confidences of the classes.
    tile: "auto", "off" or the side of a tile in pixels of the image; None: the model's default.
    """

    model: str | None = None
    version: str | None = None
    render: str = "colour"
    classes: tuple[str, ...] = ()
    opacity: float = 0.5
    palette: str = "seed"
    facts: bool = False
    tile: str | None = None

    @property
    def form(self) -> Render:
        """The output form."""
        return RENDERS[self.render]

    @property
    def needs_labels(self) -> bool:
        """Whether the names of the model's classes are needed."""
        return bool(self.classes) or self.facts or self.form.takes_colours

    @property
    def needs_only_mask(self) -> bool:
        """Whether the handler's default output, a grey mask of class ids, is enough."""
        is_plain = not self.facts and not self.classes and not self.form.drawn_by_handler
        return is_plain and self.tile is None


def casefolded(name: str) -> str:
    """Return a class's name for comparison: stripped and case-folded."""
    return name.strip().casefold()


def class_ids(names: tuple[str, ...], labels: Mapping[int, str]) -> frozenset[int]:
    """Return the ids of classes given by name or id.

    labels: class id -> name. Raises InvalidRequestError, which lists the known names.
    """
    by_name = {casefolded(name): class_id for class_id, name in labels.items()}
    by_name |= {str(class_id): class_id for class_id in labels}
    unknown = [name for name in names if casefolded(name) not in by_name]
    if unknown:
        raise InvalidRequestError(
            f"The model knows no class {unknown[0][:64]!r}. It knows: {', '.join(labels.values())}."
        )
    return frozenset(by_name[casefolded(name)] for name in names)


def to_handler_json(options: SegmentationOptions, labels: Mapping[int, str]) -> str | None:
    """Return the handler's render options in JSON; None if its default output is enough.

    labels: class id -> name; may be empty unless the options need labels. Raises
    InvalidRequestError for a class that the model does not know.
    """
    if options.needs_only_mask:
        return None
    chosen = class_ids(options.classes, labels) if options.classes else None
    render = options.render if options.form.drawn_by_handler else "labels"
    fields: dict[str, object] = {"render": render}
    if options.facts:
        fields["confidence"] = True
    elif chosen is not None:  # with facts, the gateway selects the classes from the whole mask
        fields["classes"] = sorted(chosen)
    if options.tile is not None:
        fields["tile"] = int(options.tile) if options.tile.isdecimal() else options.tile
    if options.form.takes_colours:
        shown = chosen if chosen is not None else [class_id for class_id in labels if class_id]
        colours = _colours(options.palette, sorted(shown))
        fields |= {"opacity": options.opacity, "colours": colours}
    return json.dumps(fields, separators=(",", ":"))


def _colours(palette: str, ids: list[int]) -> dict[str, str]:
    return {str(class_id): PALETTES[palette].hex_colour(class_id)[1:] for class_id in ids}
