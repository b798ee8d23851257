"""POST /v1/segment: the result for one image, as a PNG or JSON."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import mimeparse
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from gateway.admission.cpu_pool import CpuPool
from gateway.errors import NotAcceptableError
from gateway.http.responses import JSON, NOT_STORED, PNG, PngResponse
from gateway.masks.palettes import PALETTES
from gateway.openapi.problems import IMAGE_PROBLEMS, problems
from gateway.segmentation import openapi, parameters
from gateway.segmentation.options import SegmentationOptions
from gateway.segmentation.pipeline import Pipeline
from gateway.segmentation.prediction import Prediction, decoding_mask
from gateway.segmentation.results import ResultOptions, encode_result, to_json
from gateway.telemetry.stages import StageClock


def prefers_json(request: Request) -> bool:
    """Whether the client prefers JSON to a PNG; raises NotAcceptableError if it accepts neither."""
    # Of equally good matches the last one wins, so a client without a preference gets the PNG.
    # Media types have no case, and an empty header is none.
    accepted = ", ".join(filter(str.strip, request.headers.getlist("Accept"))).lower() or "*/*"
    try:
        best = mimeparse.best_match([JSON, PNG], accepted)
    except mimeparse.MimeTypeParseException:
        best = ""
    if not best:
        raise NotAcceptableError(f"The answer is {PNG} or {JSON}. Name one of them in Accept.")
    return bool(best == JSON)


def routes(pipeline: Pipeline, pool: CpuPool) -> APIRouter:
    """The route /v1/segment."""
    router = APIRouter(prefix="/v1", tags=["segmentation"])

    @router.post(
        "/segment",
        summary="Segment a photograph, in the form you need",
        response_class=Response,
        response_description="A PNG of the image's size, or what is known about each class.",
        responses=openapi.SEGMENTED | problems("not_acceptable", *IMAGE_PROBLEMS),
        openapi_extra=openapi.IMAGE_FORM_OR_BODY,
    )
    async def segment(
        request: Request,
        options: Annotated[SegmentationOptions, Depends(parameters.options)],
        result_options: Annotated[ResultOptions, Depends(parameters.result_options)],
    ) -> Response:
        """Takes the image as the file field of a form, or as the body itself.

        `Accept: image/png` (the default) gives the form that `render` names;
        `Accept: application/json` gives size, timings, and for each class its pixels, share,
        bounding box, mean confidence and COCO run lengths, and on request outlines and mask.
        """
        clock = pipeline.clock()
        if prefers_json(request):
            as_json = replace(options, render="labels", facts=True)
            prediction = await pipeline.segment(request, as_json, clock, raw=True)
            request_id = request.state.request_id
            encode = partial(_encode_json, prediction, options, result_options, request_id)
            body = await encode_result(pool, prediction, clock, encode, result_options.cost)
            return Response(body, media_type=JSON, headers=prediction.headers | NOT_STORED)
        prediction = await pipeline.segment(request, options, clock, raw=True)
        png = await _encode_png(pool, prediction, options, clock)
        return PngResponse(png, headers=prediction.headers | NOT_STORED)

    return router


def _encode_json(
    prediction: Prediction,
    options: SegmentationOptions,
    result_options: ResultOptions,
    request_id: str,
) -> bytes:
    return to_json(prediction, options, result_options, request_id).model_dump_json().encode()


async def _encode_png(
    pool: CpuPool, prediction: Prediction, options: SegmentationOptions, clock: StageClock
) -> bytes:
    palette = PALETTES[options.palette].table
    draw = partial(options.form.draw, prediction.response.png, palette)
    if options.form.cost:
        return await encode_result(pool, prediction, clock, draw, options.form.cost)
    with decoding_mask(prediction, clock):
        return draw()
