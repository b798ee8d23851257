"""The result for programs: what a mask holds, class by class, in the shape of the API's answer."""

import base64
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.masks.grey_png import decode_mask, encode_grey
from gateway.masks.palettes import hex_colour
from gateway.masks.polygons import polygons
from gateway.masks.regions import Region, regions
from gateway.segmentation.options import Wish, class_ids
from gateway.segmentation.prediction import Found
from gateway.segmentation.schemas import ClassFound, Rle, SegmentationFound

_TIMING: Final = re.compile(r"(\w+);dur=([0-9.]+)")


# To find them takes so much longer than everything else.
_OUTLINES: Final = 25


@dataclass(frozen=True)
class Detail:
    """How much is told.

    polygons: whether each class's outlines are.
    tolerance: by how many pixels an outline may be off, to have fewer points; 0 is exact.
    mask: whether the class ids themselves are, as a PNG.
    """

    polygons: bool = False
    tolerance: float = 1.0
    mask: bool = False

    @property
    def effort(self) -> int:
        """About how often the mask's pixels are gone through for it."""
        return _OUTLINES if self.polygons else 1


def describe(found: Found, wish: Wish, detail: Detail, request_id: str) -> SegmentationFound:
    """All that is known about an image; raises NotAMaskError if the model sent no mask."""
    ids = decode_mask(found.prediction.png)
    height, width = ids.shape
    chosen = class_ids(wish.classes, found.labels) if wish.classes else None
    kept = [each for each in regions(ids) if chosen is None or each.class_id in chosen]
    sure = class_confidences(found)
    return SegmentationFound(
        request_id=request_id,
        model=found.target.model,
        version=found.target.version,
        width=width,
        height=height,
        palette=wish.palette,
        confidence=float(found.prediction.confidence or 0),
        classes=[_class(each, ids, found, wish, detail, sure) for each in kept],
        mask=_encoded(ids, chosen, found.prediction.png) if detail.mask else None,
        timings_ms={stage: float(ms) for stage, ms in _TIMING.findall(found.timings)},
    )


def class_confidences(found: Found) -> dict[int, float]:
    """Class id -> mean confidence, as the model told it."""
    pairs = filter(None, found.prediction.class_confidence.split(","))
    return {int(class_id): float(share) for class_id, share in (pair.split("=") for pair in pairs)}


def _class(
    region: Region,
    ids: NDArray[np.uint8],
    found: Found,
    wish: Wish,
    detail: Detail,
    sure: dict[int, float],
) -> ClassFound:
    return ClassFound(
        id=region.class_id,
        name=found.labels.get(region.class_id, str(region.class_id)),
        colour=hex_colour(wish.palette, region.class_id),
        pixels=region.pixels,
        share=region.pixels / ids.size,
        bbox=region.bbox,
        mean_confidence=sure.get(region.class_id, 0.0),
        rle=Rle(size=(ids.shape[0], ids.shape[1]), counts=region.rle),
        polygons=polygons(ids, region.class_id, detail.tolerance) if detail.polygons else None,
    )


def _encoded(ids: NDArray[np.uint8], chosen: frozenset[int] | None, png: bytes) -> str:
    if chosen is not None:
        png = encode_grey(np.where(np.isin(ids, sorted(chosen)), ids, 0).astype(np.uint8))
    return base64.b64encode(png).decode("ascii")
