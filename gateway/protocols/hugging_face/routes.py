"""POST /v1/hf/{model}: image segmentation for Hugging Face's inference clients."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.admission.cpu_pool import Offload
from gateway.admission.upload_budget import Buffer
from gateway.errors import UnreadableImageError
from gateway.http.json_body import is_object, receive, room_for
from gateway.http.responses import JSON, NOT_STORED
from gateway.http.uploads import too_large
from gateway.models.parameters import MODEL, VERSION
from gateway.openapi.problems import IMAGE_PROBLEMS, problems
from gateway.protocols.hugging_face import openapi
from gateway.protocols.hugging_face.messages import Inputs, Segment, read_inputs, segments
from gateway.segmentation.options import Wish
from gateway.segmentation.pipeline import Pipeline


class _Unpacking:
    """Unpacks a request's image, and notes the threshold that came with it."""

    def __init__(self, max_image_bytes: int, offload: Offload) -> None:
        self.threshold = 0.0
        self._max_bytes = max_image_bytes
        self._offload = offload

    async def __call__(self, image: Buffer) -> None:
        """Leaves the image in the buffer, whichever of the two ways it came."""
        # The client's library calls bytes "application/json" too: the content decides.
        if is_object(image):
            await self._unpack(image)
        if image.size > self._max_bytes:
            raise too_large(self._max_bytes)
        if image.size == 0:
            raise UnreadableImageError("The image is empty. Send an image.")

    async def _unpack(self, image: Buffer) -> None:
        found: Inputs = await self._offload.unpack(
            image, lambda body: read_inputs(body, self._max_bytes)
        )
        self.threshold = found.threshold
        image.fill(found.image)


def routes(pipeline: Pipeline, offload: Offload) -> APIRouter:
    """The endpoint, bound to what does the work."""
    router = APIRouter(prefix="/v1/hf", tags=["protocols"])

    @router.post(
        "/{model}",
        summary="Segment a photograph for a Hugging Face client",
        response_model=list[Segment],
        response_description="A black and white mask for each class that occurs.",
        responses=openapi.ANSWER
        | problems(
            *IMAGE_PROBLEMS,
            invalid_request="The JSON is not what is expected: inputs: Field required.",
        ),
        openapi_extra=openapi.BODY,
    )
    async def segment_for_hugging_face(
        request: Request,
        model: Annotated[str, MODEL],
        version: Annotated[str | None, VERSION] = None,
    ) -> Response:
        """Takes what `InferenceClient(model=URL).image_segmentation(...)` sends.

        The body is the image itself, or JSON with the image in base64 and parameters. Classes
        whose mean confidence is below `threshold` are left out. The answer lists the classes
        ascending by id, background included, as the library's own semantic segmentation does.
        """
        wish = Wish(model, version, "labels", facts=True)
        read = partial(receive, request, room_for(pipeline.max_image_bytes))
        unpack = _Unpacking(pipeline.max_image_bytes, offload)
        found = await pipeline.segment(request, wish, read, unpack)
        body = await offload.read(found, lambda: segments(found, unpack.threshold))
        return Response(body, media_type=JSON, headers=found.headers | NOT_STORED)

    return router
