"""Results: the classes of a mask, and the JSON response."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from gateway.admission.cpu_pool import CpuPool
from gateway.masks.grey_png import decode_mask, encode_grey, size_of
from gateway.masks.palettes import PALETTES
from gateway.masks.polygons import polygons
from gateway.masks.regions import Region, regions
from gateway.segmentation.options import SegmentationOptions, class_ids
from gateway.segmentation.prediction import Prediction, decoding_mask
from gateway.segmentation.schemas import ClassResult, Rle, SegmentationResult
from gateway.telemetry.stages import StageClock

T = TypeVar("T")

_TIMING: Final = re.compile(r"(\w+);dur=([0-9.]+)")
# Time for polygons, as a multiple of the time for everything else.
_POLYGONS_COST: Final = 25


@dataclass(frozen=True)
class ResultOptions:
    """Options for the content of a JSON result.

    polygons: whether to add the outlines of each class.
    tolerance: pixels by which an outline may be off, to have fewer points; 0 is exact.
    mask: whether to add the class ids themselves, as a PNG.
    """

    polygons: bool = False
    tolerance: float = 1.0
    mask: bool = False

    @property
    def cost(self) -> int:
        """About how often encoding processes all pixels of the mask."""
        return _POLYGONS_COST if self.polygons else 1


@dataclass(frozen=True)
class ClassRow:
    """One class present in a mask.

    name: the model's label; the id in digits if it has none.
    confidence: mean over the class's pixels, 0..1; 0 if the handler did not report it.
    """

    class_id: int
    name: str
    confidence: float
    region: Region


def classes_of(prediction: Prediction, ids: NDArray[np.uint8]) -> list[ClassRow]:
    """Return the classes present in a mask of (height, width) uint8 class ids, ascending by id."""
    # Based on the mask, because a class may have a confidence at the network's size, but no pixel
    # at the image's size.
    pairs = filter(None, prediction.response.class_confidence.split(","))
    confidences = {int(id_): float(share) for id_, share in (pair.split("=") for pair in pairs)}
    return [
        ClassRow(
            region.class_id,
            prediction.labels.get(region.class_id, str(region.class_id)),
            confidences.get(region.class_id, 0.0),
            region,
        )
        for region in regions(ids)
    ]


async def encode_result(
    pool: CpuPool,
    prediction: Prediction,
    clock: StageClock,
    encode: Callable[[], T],
    cost: int = 1,
) -> T:
    """Run ``encode`` in the pool. cost: how often it processes all pixels of the mask.

    Raises ModelUnavailableError if the handler's response is not a mask.
    """
    with decoding_mask(prediction, clock):
        width, height = size_of(prediction.response.png)
        return await pool.run(width * height * cost, encode)


def to_json(
    prediction: Prediction,
    options: SegmentationOptions,
    result_options: ResultOptions,
    request_id: str,
) -> SegmentationResult:
    """Return the JSON response; raises NotAMaskError if the handler's response is not a mask."""
    png = prediction.response.png
    ids = decode_mask(png)
    height, width = ids.shape
    chosen = class_ids(options.classes, prediction.labels) if options.classes else None
    rows = classes_of(prediction, ids)
    kept = [each for each in rows if chosen is None or each.class_id in chosen]
    return SegmentationResult(
        request_id=request_id,
        model=prediction.target.model,
        version=prediction.target.version,
        width=width,
        height=height,
        palette=options.palette,
        confidence=float(prediction.response.confidence or 0),
        classes=[_class_result(each, ids, options.palette, result_options) for each in kept],
        mask=_encode_mask(ids, chosen, png) if result_options.mask else None,
        timings_ms={stage: float(ms) for stage, ms in _TIMING.findall(prediction.timings)},
    )


def _class_result(
    row: ClassRow, ids: NDArray[np.uint8], palette: str, options: ResultOptions
) -> ClassResult:
    region = row.region
    return ClassResult(
        id=row.class_id,
        name=row.name,
        colour=PALETTES[palette].hex_colour(row.class_id),
        pixels=region.pixels,
        share=region.pixels / ids.size,
        bbox=region.bbox,
        mean_confidence=row.confidence,
        rle=Rle(size=(ids.shape[0], ids.shape[1]), counts=region.rle),
        polygons=polygons(ids, row.class_id, options.tolerance) if options.polygons else None,
    )


def _encode_mask(ids: NDArray[np.uint8], chosen: frozenset[int] | None, png: bytes) -> str:
    if chosen is not None:
        png = encode_grey(np.where(np.isin(ids, sorted(chosen)), ids, 0).astype(np.uint8))
    return base64.b64encode(png).decode("ascii")
