"""The inference routes of the Open Inference Protocol: POST /v2/models/.../infer."""

from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.admission.cpu_pool import CpuPool
from gateway.admission.upload_budget import Upload
from gateway.errors import UnreadableImageError
from gateway.http.responses import JSON, NOT_STORED
from gateway.models.parameters import MODEL, VERSION_IN_PATH
from gateway.openapi.problems import IMAGE_PROBLEMS, problems
from gateway.protocols.open_inference import openapi
from gateway.protocols.open_inference.requests import (
    HEADER_LENGTH,
    InferenceRequest,
    read_request,
)
from gateway.protocols.open_inference.responses import EncodedResponse, encode_response
from gateway.segmentation.options import SegmentationOptions
from gateway.segmentation.pipeline import Pipeline
from gateway.segmentation.prediction import Prediction
from gateway.segmentation.results import encode_result
from gateway.traffic.client import client_of


def routes(pipeline: Pipeline, pool: CpuPool) -> APIRouter:
    """The inference routes of /v2/models."""
    router = APIRouter(prefix="/v2/models", tags=["protocols"])

    async def infer(request: Request, model: str, version: str | None) -> Response:
        clock = pipeline.clock()
        options = SegmentationOptions(model, version, "labels", facts=True)
        with pipeline.upload() as image:
            with clock.stage("read"):
                await pipeline.receive_body(request, image)
                inference = await _unpack(request, image, pipeline.max_image_bytes, pool)
            prediction = await pipeline.predict(client_of(request), image, options, clock)
        encode = partial(encode_response, prediction, inference)
        return _response(await encode_result(pool, prediction, clock, encode), prediction)

    documented: dict[str, Any] = {
        "response_class": Response,
        "response_description": "The tensors that were asked for.",
        "responses": openapi.INFERRED
        | problems(
            *IMAGE_PROBLEMS,
            invalid_request="The input is 'image' of datatype BYTES and shape [1]: one image file.",
        ),
        "openapi_extra": openapi.INFERENCE,
    }

    @router.post("/{model}/infer", summary="Infer with the default version", **documented)
    async def model_infer(request: Request, model: Annotated[str, MODEL]) -> Response:
        """Takes the tensor `image`, an image file, in JSON as base64 or in binary.

        Answers with the tensors `mask` (the class of each pixel), `png` (the same as a grey PNG)
        and `classes` (a list in JSON), or those that `outputs` names. In JSON, `png` is base64.
        Errors have a member `error` beside those of every problem document.
        """
        return await infer(request, model, None)

    @router.post("/{model}/versions/{version}/infer", summary="Infer with a version", **documented)
    async def model_version_infer(
        request: Request, model: Annotated[str, MODEL], version: Annotated[str, VERSION_IN_PATH]
    ) -> Response:
        """The same with the version that is named."""
        return await infer(request, model, version)

    return router


async def _unpack(
    request: Request, image: Upload, max_bytes: int, pool: CpuPool
) -> InferenceRequest:
    """Replace the body in the upload by its image; return the request without the image."""
    header_length = request.headers.get(HEADER_LENGTH)
    decode = partial(read_request, header_length=header_length, max_image_bytes=max_bytes)
    inference = await pool.decode_body(image, decode)
    image.fill(inference.image)
    if image.size == 0:
        raise UnreadableImageError("The image is empty. Send an image.")
    return replace(inference, image=b"")


def _response(encoded: EncodedResponse, prediction: Prediction) -> Response:
    headers = prediction.headers | NOT_STORED
    if encoded.header_length is None:
        return Response(encoded.body, media_type=JSON, headers=headers)
    headers[HEADER_LENGTH] = str(encoded.header_length)
    return Response(encoded.body, media_type="application/octet-stream", headers=headers)
