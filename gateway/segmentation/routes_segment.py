"""POST /v1/segment: one result in the form that its client asks for."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import mimeparse
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from gateway.admission.cpu_pool import Offload
from gateway.errors import NotAcceptableError
from gateway.http.responses import JSON, NOT_STORED, PNG, PngResponse
from gateway.http.uploads import read_image
from gateway.masks.colour_map import colour_map
from gateway.masks.grey_png import SIGNATURE, NotAMaskError
from gateway.masks.palettes import PALETTES
from gateway.openapi.problems import IMAGE_PROBLEMS, problems
from gateway.segmentation import openapi, parameters
from gateway.segmentation.options import Wish
from gateway.segmentation.pipeline import Pipeline
from gateway.segmentation.prediction import Found, trusting
from gateway.segmentation.results import Detail, describe


def wants_json(request: Request) -> bool:
    """Whether the client would rather have JSON than a PNG; raises NotAcceptableError if neither.

    Of equals the last is taken, so a client that does not mind gets the PNG.
    """
    try:
        best = mimeparse.best_match([JSON, PNG], request.headers.get("Accept", "*/*"))
    except mimeparse.MimeTypeParseException:
        best = ""
    if not best:
        raise NotAcceptableError(f"The answer is {PNG} or {JSON}. Name one of them in Accept.")
    return bool(best == JSON)


def picture(png: bytes, wish: Wish) -> bytes:
    """The model's PNG as the wish has it; raises NotAMaskError if it is none."""
    if wish.render == "colour":
        return colour_map(png, PALETTES[wish.palette])
    if not png.startswith(SIGNATURE):
        raise NotAMaskError("not a PNG")
    return png


async def document(
    found: Found, wish: Wish, detail: Detail, request_id: str, offload: Offload
) -> bytes:
    """The result as JSON."""

    def made() -> bytes:
        return describe(found, wish, detail, request_id).model_dump_json().encode()

    return await offload.read(found, made, detail.effort)


def routes(pipeline: Pipeline, offload: Offload) -> APIRouter:
    """The endpoint, bound to what does the work."""
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
        wish: Annotated[Wish, Depends(parameters.wish)],
        detail: Annotated[Detail, Depends(parameters.detail)],
    ) -> Response:
        """Takes the image as the file field of a form, or as the body itself.

        `Accept: image/png` (the default) gives the form that `render` names;
        `Accept: application/json` gives size, timings, and for each class its pixels, share,
        bounding box, mean confidence and COCO run lengths, and on request outlines and mask.
        """
        as_json = wants_json(request)
        if as_json:
            wish = replace(wish, render="labels", facts=True)
        read = partial(read_image, request, pipeline.max_image_bytes, raw=True)
        found = await pipeline.segment(request, wish, read)
        headers = found.headers | NOT_STORED
        if as_json:
            body = await document(found, wish, detail, request.state.request_id, offload)
            return Response(body, media_type=JSON, headers=headers)
        with trusting(found):
            return PngResponse(picture(found.prediction.png, wish), headers=headers)

    return router
