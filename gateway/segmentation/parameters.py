"""Query parameters of the segmentation routes, and their conversion to options."""

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Query

from gateway.errors import InvalidRequestError
from gateway.masks.palettes import PALETTES
from gateway.masks.renders import RENDERS
from gateway.models.parameters import VERSION
from gateway.segmentation.options import SegmentationOptions
from gateway.segmentation.results import ResultOptions

if TYPE_CHECKING:
    RenderName = str
    PaletteName = str
else:  # the keys of the tables, for validation and for the OpenAPI document
    RenderName = Literal[tuple(RENDERS)]
    PaletteName = Literal[tuple(PALETTES)]

_MODEL = Query(
    max_length=64,
    description="Name of the model; the one there is if absent.",
    examples=["deeplabv3"],
)
_RENDER = Query(
    description="What the PNG shows: "
    + "; ".join(f"`{name}`, {render.description}" for name, render in RENDERS.items())
    + ". JSON has no use for it.",
    examples=["overlay"],
)
_CLASSES = Query(
    max_length=4096,
    description="Names or ids of the classes that count, with commas between; all if absent. "
    "Everything else is background.",
    examples=["person,dog"],
    json_schema_extra={"pattern": r"^\s*[^,\s][^,]*(,\s*[^,\s][^,]*)*$"},
)
_OPACITY = Query(ge=0, le=1, description="Of an overlay's colours.", examples=[0.6])
_PALETTE = Query(
    description="Colours of the classes; `safe` is told apart by the colour-blind.",
    examples=["safe"],
)
TILE = Query(
    description="Look at a large image in tiles, so that small objects are found: `auto` chooses "
    "their size, a number is their side in pixels of the image, `off` is one look at the whole. "
    "The model's own default if absent.",
    examples=["auto"],
    pattern=r"^(auto|off|3[2-9]|[4-9][0-9]|[1-9][0-9]{2,3})$",
)
_POLYGONS = Query(description="JSON: add each class's outlines.", examples=[True])
_TOLERANCE = Query(
    ge=0,
    le=100,
    description="JSON: pixels by which an outline may be off, to have fewer points; 0 is exact.",
    examples=[0],
)
_MASK = Query(description="JSON: add the class ids as a PNG in base64.", examples=[True])


def options(
    model: Annotated[str | None, _MODEL] = None,
    version: Annotated[str | None, VERSION] = None,
    render: Annotated[RenderName, _RENDER] = "colour",
    classes: Annotated[str | None, _CLASSES] = None,
    opacity: Annotated[float, _OPACITY] = 0.5,
    palette: Annotated[PaletteName, _PALETTE] = "seed",
    tile: Annotated[str | None, TILE] = None,
) -> SegmentationOptions:
    """Return the options of a segmentation."""
    return SegmentationOptions(model, version, render, _names(classes), opacity, palette, tile=tile)


def fact_options(
    model: Annotated[str | None, _MODEL] = None,
    version: Annotated[str | None, VERSION] = None,
    classes: Annotated[str | None, _CLASSES] = None,
    palette: Annotated[PaletteName, _PALETTE] = "seed",
    tile: Annotated[str | None, TILE] = None,
) -> SegmentationOptions:
    """Return the options of a segmentation with a JSON response."""
    return SegmentationOptions(
        model, version, "labels", _names(classes), palette=palette, facts=True, tile=tile
    )


def _names(classes: str | None) -> tuple[str, ...]:
    if classes is None:
        return ()
    names = tuple(name.strip() for name in classes.split(","))
    if not all(names):
        raise InvalidRequestError("`classes` has an empty name. Send names with commas between.")
    return names


def result_options(
    polygons: Annotated[bool, _POLYGONS] = False,
    tolerance: Annotated[float, _TOLERANCE] = 1.0,
    mask: Annotated[bool, _MASK] = False,
) -> ResultOptions:
    """Return the options for the content of a JSON result."""
    return ResultOptions(polygons, tolerance, mask)
