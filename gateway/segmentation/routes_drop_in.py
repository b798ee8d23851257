"""The drop-in endpoint: a photograph in, a colour map out."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from gateway.http.responses import NOT_STORED, PngResponse
from gateway.http.uploads import read_image
from gateway.masks.colour_map import colour_map
from gateway.masks.palettes import SEED
from gateway.models.parameters import VERSION
from gateway.openapi.problems import IMAGE_PROBLEMS, problems
from gateway.segmentation import openapi
from gateway.segmentation.options import Wish
from gateway.segmentation.pipeline import Pipeline
from gateway.segmentation.prediction import trusting


class _OptionalQueryRoute(APIRoute):
    """A route whose parameters are all optional ones of the query.

    Where a request has no query there is nothing to look up and validate, which FastAPI would do
    in a tenth of the gateway's time.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own where there is a query."""
        validated = super().get_route_handler()

        async def handler(request: Request) -> Response:
            if request.scope["query_string"]:
                return await validated(request)
            response: Response = await self.endpoint(request)
            return response

        return handler


def routes(pipeline: Pipeline) -> APIRouter:
    """The endpoint, bound to what does the work."""
    router = APIRouter(tags=["segmentation"], route_class=_OptionalQueryRoute)

    @router.post(
        "/segmentation",
        summary="Segment a photograph",
        response_class=PngResponse,
        response_description="Indexed PNG of the image's size; pixel index = class id.",
        responses=openapi.COLOUR_MAP | problems(*IMAGE_PROBLEMS),
        openapi_extra=openapi.IMAGE_FORM,
    )
    async def segmentation(
        request: Request, version: Annotated[str | None, VERSION] = None
    ) -> Response:
        """Finds the classes that the model knows in one photograph.

        Takes JPEG, PNG, WebP, GIF, TIFF, BMP and AVIF, recognised by their content and not by
        the part's declared type. EXIF orientation is applied first, so that the answer has the
        size at which the image is seen. The legend is at `/v1/models/{model}/labels`.
        """
        read = partial(read_image, request, pipeline.max_image_bytes)
        found = await pipeline.segment(request, Wish(version=version), read)
        with trusting(found):
            return PngResponse(
                colour_map(found.prediction.png, SEED), headers=found.headers | NOT_STORED
            )

    return router
