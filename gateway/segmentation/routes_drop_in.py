"""POST /segmentation, the drop-in endpoint: an image in, a colour map out."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.http.responses import NOT_STORED, PngResponse
from gateway.masks.colour_map import colour_map
from gateway.masks.palettes import DROP_IN
from gateway.models.parameters import VERSION
from gateway.openapi.image_formats import listed
from gateway.openapi.problems import IMAGE_PROBLEMS, problems
from gateway.segmentation import openapi
from gateway.segmentation.options import SegmentationOptions
from gateway.segmentation.parameters import TILE
from gateway.segmentation.pipeline import Pipeline
from gateway.segmentation.prediction import decoding_mask

_DESCRIPTION = f"""Finds the classes that the model knows in one photograph.

Takes {listed("and")}, recognised by their content and not by
the part's declared type. EXIF orientation is applied first, so that the answer has the
size at which the image is seen. The legend is at `/v1/models/{{model}}/labels`."""


def routes(pipeline: Pipeline) -> APIRouter:
    """The route of the drop-in endpoint."""
    router = APIRouter(tags=["segmentation"])

    @router.post(
        "/segmentation",
        summary="Segment a photograph",
        description=_DESCRIPTION,
        response_class=PngResponse,
        response_description="Indexed PNG of the image's size; pixel index = class id.",
        responses=openapi.COLOUR_MAP | problems(*IMAGE_PROBLEMS),
        openapi_extra=openapi.IMAGE_FORM,
    )
    async def segmentation(
        request: Request,
        version: Annotated[str | None, VERSION] = None,
        tile: Annotated[str | None, TILE] = None,
    ) -> Response:
        clock = pipeline.clock()
        options = SegmentationOptions(version=version, tile=tile)
        prediction = await pipeline.segment(request, options, clock)
        with decoding_mask(prediction, clock):
            png = colour_map(prediction.response.png, DROP_IN.table)
        return PngResponse(png, headers=prediction.headers | NOT_STORED)

    return router
