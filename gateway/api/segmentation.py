"""The drop-in endpoint: a photograph in, a colour map out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway import openapi
from gateway.pipeline import Pipeline

VERSION = Query(
    pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$",
    description="Version of the model; the default version if absent.",
    examples=["1.0"],
)


class PngResponse(Response):
    """An answer that is an image."""

    media_type = "image/png"


def routes(pipeline: Pipeline) -> APIRouter:
    """The endpoint, bound to what does the work."""
    router = APIRouter(tags=["segmentation"])

    @router.post(
        "/segmentation",
        summary="Segment a photograph",
        response_class=PngResponse,
        response_description="Indexed PNG of the image's size; pixel index = class id.",
        responses=openapi.COLOUR_MAP
        | openapi.problems(
            "invalid_request",
            "unreadable_image",
            "unsupported_format",
            "image_too_large",
            "too_many_pixels",
            "not_found",
            "overloaded",
            "model_unavailable",
            "deadline_exceeded",
        ),
        openapi_extra=openapi.IMAGE_FORM,
    )
    async def segment(request: Request, version: Annotated[str | None, VERSION] = None) -> Response:
        """Finds the classes that the model knows in one photograph.

        Takes JPEG, PNG, WebP, GIF, TIFF, BMP and AVIF, recognised by their content and not by
        the part's declared type. EXIF orientation is applied first, so that the answer has the
        size at which the image is seen. The legend is at `/v1/models/{model}/labels`.
        """
        found = await pipeline.segment(request, version)
        return PngResponse(found.png, headers=found.headers)

    return router
