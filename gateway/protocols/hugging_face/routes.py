"""POST /v1/hf/{model}: image segmentation for Hugging Face's inference clients."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.admission.cpu_pool import CpuPool
from gateway.admission.upload_budget import Upload
from gateway.errors import UnreadableImageError
from gateway.http.json_body import is_object
from gateway.http.responses import JSON, NOT_STORED
from gateway.http.uploads import too_large
from gateway.models.parameters import MODEL, VERSION
from gateway.openapi.problems import IMAGE_PROBLEMS, problems
from gateway.protocols.hugging_face import openapi
from gateway.protocols.hugging_face.messages import HuggingFaceSegment, read_inputs, segments
from gateway.segmentation.options import SegmentationOptions
from gateway.segmentation.pipeline import Pipeline
from gateway.segmentation.results import encode_result
from gateway.traffic.client import client_of


def routes(pipeline: Pipeline, pool: CpuPool) -> APIRouter:
    """The route /v1/hf/{model}."""
    router = APIRouter(prefix="/v1/hf", tags=["protocols"])

    @router.post(
        "/{model}",
        summary="Segment a photograph for a Hugging Face client",
        response_model=list[HuggingFaceSegment],
        response_description="A black and white mask for each class that occurs.",
        responses=openapi.RESPONSE
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
        clock = pipeline.clock()
        options = SegmentationOptions(model, version, "labels", facts=True)
        with pipeline.upload() as image:
            with clock.stage("read"):
                await pipeline.receive_body(request, image)
                threshold = await _unpack(image, pipeline.max_image_bytes, pool)
            prediction = await pipeline.predict(client_of(request), image, options, clock)
        encode = partial(segments, prediction, threshold)
        body = await encode_result(pool, prediction, clock, encode)
        return Response(body, media_type=JSON, headers=prediction.headers | NOT_STORED)

    return router


async def _unpack(image: Upload, max_bytes: int, pool: CpuPool) -> float:
    """Replace the body in the upload by its image; return the threshold, 0 if there is none."""
    # The body is the image itself or JSON. Its content decides, because the client library declares
    # application/json for both.
    threshold = 0.0
    if is_object(image):
        inputs = await pool.decode_body(image, partial(read_inputs, max_image_bytes=max_bytes))
        threshold = inputs.threshold
        image.fill(inputs.image)
    if image.size > max_bytes:
        raise too_large(max_bytes)
    if image.size == 0:
        raise UnreadableImageError("The image is empty. Send an image.")
    return threshold
