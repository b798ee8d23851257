"""Open Inference Protocol: images in tensors, as the clients of Triton and KServe send them."""

from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.admission.cpu_pool import Offload
from gateway.admission.upload_budget import Buffer
from gateway.errors import UnreadableImageError
from gateway.http.json_body import receive, room_for
from gateway.http.responses import JSON, NOT_STORED
from gateway.models.parameters import MODEL
from gateway.openapi.problems import IMAGE_PROBLEMS, problems
from gateway.protocols.open_inference import openapi
from gateway.protocols.open_inference.requests import HEADER_LENGTH, Inference, read_inference
from gateway.protocols.open_inference.responses import Answer, answer
from gateway.protocols.open_inference.routes_models import VERSION
from gateway.segmentation.options import Wish
from gateway.segmentation.pipeline import Pipeline
from gateway.segmentation.prediction import Found


class _Unpacking:
    """Unpacks a request's image, and keeps what else was asked."""

    def __init__(self, request: Request, max_image_bytes: int, offload: Offload) -> None:
        self._request = request
        self._max_bytes = max_image_bytes
        self._offload = offload
        self.asked = Inference(b"", (), None)

    async def __call__(self, image: Buffer) -> None:
        """Leaves the one element of the input in the buffer."""
        header_length = self._request.headers.get(HEADER_LENGTH)
        found = await self._offload.unpack(
            image, lambda body: read_inference(body, header_length, self._max_bytes)
        )
        image.fill(found.image)
        self.asked = replace(found, image=b"")
        if image.size == 0:
            raise UnreadableImageError("The image is empty. Send an image.")


def _response(made: Answer, found: Found) -> Response:
    headers = found.headers | NOT_STORED
    if made.header_length is None:
        return Response(made.body, media_type=JSON, headers=headers)
    headers[HEADER_LENGTH] = str(made.header_length)
    return Response(made.body, media_type="application/octet-stream", headers=headers)


def routes(pipeline: Pipeline, offload: Offload) -> APIRouter:
    """The endpoints, bound to what does the work."""
    router = APIRouter(prefix="/v2/models", tags=["protocols"])

    async def infer(request: Request, model: str, version: str | None) -> Response:
        wish = Wish(model, version, "labels", facts=True)
        read = partial(receive, request, room_for(pipeline.max_image_bytes))
        unpack = _Unpacking(request, pipeline.max_image_bytes, offload)
        found = await pipeline.segment(request, wish, read, unpack)
        made = await offload.read(found, lambda: answer(found, unpack.asked))
        return _response(made, found)

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
        request: Request, model: Annotated[str, MODEL], version: Annotated[str, VERSION]
    ) -> Response:
        """The same with the version that is named."""
        return await infer(request, model, version)

    return router
