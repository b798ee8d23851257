"""POST /v1/segment/batch: many photographs in one request, each with a line of its own."""

import logging
from contextlib import AsyncExitStack
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.admission.cpu_pool import Offload
from gateway.errors import GatewayError, InternalError
from gateway.http.problems import problem
from gateway.http.responses import NOT_STORED
from gateway.openapi.problems import problems
from gateway.segmentation import openapi, parameters
from gateway.segmentation.batch import Batch, Item
from gateway.segmentation.options import Wish
from gateway.segmentation.pipeline import Client, Pipeline
from gateway.segmentation.results import Detail, describe
from gateway.segmentation.schemas import BatchLine, SegmentationFound

logger = logging.getLogger(__name__)

NDJSON: Final = "application/x-ndjson"


class _Lines:
    """Makes the line of an image."""

    def __init__(
        self, pipeline: Pipeline, offload: Offload, client: Client, wish: Wish, detail: Detail
    ) -> None:
        self._pipeline = pipeline
        self._offload = offload
        self._client = client
        self._wish = wish
        self._detail = detail

    async def of(self, item: Item) -> bytes:
        """What became of it, as a line; never fails."""
        try:
            found = await self._segment(item)
            line = BatchLine(
                index=item.index, name=item.name, status=200, result=found, problem=None
            )
        except GatewayError as exc:
            line = self._failed(item, exc)
        except Exception:  # a fault on one image must not cost the others their lines
            logger.exception("image %d of a batch failed", item.index)
            line = self._failed(item, InternalError("The gateway failed on this image."))
        return line.model_dump_json().encode() + b"\n"

    def _failed(self, item: Item, error: GatewayError) -> BatchLine:
        self._pipeline.failed(error)
        told = problem(error, self._client.request_id)
        return BatchLine(
            index=item.index, name=item.name, status=error.status, result=None, problem=told
        )

    async def _segment(self, item: Item) -> SegmentationFound:
        if item.error is not None:
            raise item.error
        clock, client = self._pipeline.clock(), self._client
        found = await self._pipeline.predict(client, item.image, self._wish, clock)
        item.close()
        return await self._offload.read(
            found,
            lambda: describe(found, self._wish, self._detail, client.request_id),
            self._detail.effort,
        )


async def _still_here() -> bool:
    """Whether the client is gone cannot be asked while its request is being read."""
    return False


class _BatchResponse(StreamingResponse):
    """Sends the lines, and lets go of the batch in any case: also if nobody is left to send to."""

    media_type = NDJSON

    def __init__(self, batch: Batch, stack: AsyncExitStack) -> None:
        super().__init__(batch.answers(), headers=NOT_STORED)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            await super().__call__(scope, receive, send)


def routes(pipeline: Pipeline, offload: Offload) -> APIRouter:
    """The endpoint, bound to what does the work."""
    router = APIRouter(prefix="/v1", tags=["segmentation"])

    @router.post(
        "/segment/batch",
        summary="Segment many photographs",
        response_class=StreamingResponse,
        response_description="A line of JSON for each image, in the order in which they are ready.",
        responses=openapi.BATCH
        | problems(
            "invalid_request",
            "image_too_large",
            "not_found",
            "overloaded",
            "model_unavailable",
            "deadline_exceeded",
        ),
        openapi_extra=openapi.IMAGES_FORM,
    )
    async def segment_batch(
        request: Request,
        wish: Annotated[Wish, Depends(parameters.facts)],
        detail: Annotated[Detail, Depends(parameters.detail)],
    ) -> StreamingResponse:
        """Takes up to 100 images as file fields of one form.

        Computing begins while the others still arrive; the answer begins when all have arrived,
        and each image's line is sent as soon as it is ready. An image that cannot be segmented
        has a problem on its line and harms no other; an unknown model, version or class is told
        before anything is read.
        """
        await pipeline.check(wish)
        client = Client(request.state.request_id, _still_here)
        lines = _Lines(pipeline, offload, client, wish, detail)
        async with AsyncExitStack() as stack:
            batch = await stack.enter_async_context(pipeline.batch(request, lines.of))
            return _BatchResponse(batch, stack.pop_all())

    return router
