"""POST /v1/segment/batch: many images in one request, and a line of JSON for each."""

import logging
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.admission.cpu_pool import CpuPool
from gateway.errors import GatewayError, InternalError
from gateway.http.problems import problem
from gateway.http.responses import NOT_STORED
from gateway.openapi.problems import problems
from gateway.segmentation import openapi, parameters
from gateway.segmentation.batch import Batch, Item
from gateway.segmentation.options import SegmentationOptions
from gateway.segmentation.pipeline import Pipeline
from gateway.segmentation.results import ResultOptions, encode_result, to_json
from gateway.segmentation.schemas import BatchLine, SegmentationResult
from gateway.traffic.client import Client, client_of

logger = logging.getLogger(__name__)

NDJSON: Final = "application/x-ndjson"


class _Lines:
    """Factory for the lines of a batch."""

    def __init__(
        self,
        pipeline: Pipeline,
        pool: CpuPool,
        client: Client,
        options: SegmentationOptions,
        result_options: ResultOptions,
    ) -> None:
        self._pipeline = pipeline
        self._pool = pool
        self._client = client
        self._options = options
        self._result_options = result_options

    async def of(self, item: Item) -> bytes:
        """Return the line with an item's result or problem; never raises."""
        try:
            result = await self._segment(item)
            line = BatchLine(
                index=item.index, name=item.name, status=200, result=result, problem=None
            )
        except GatewayError as exc:
            line = self._failed(item, exc)
        except Exception:  # a fault on one image must not cost the others their lines
            logger.exception("image %d of a batch failed", item.index)
            line = self._failed(item, InternalError("The gateway failed on this image."))
        return line.model_dump_json().encode() + b"\n"

    def _failed(self, item: Item, error: GatewayError) -> BatchLine:
        self._pipeline.count_error(error)
        document = problem(error, self._client.request_id)
        return BatchLine(
            index=item.index, name=item.name, status=error.status, result=None, problem=document
        )

    async def _segment(self, item: Item) -> SegmentationResult:
        if item.error is not None:
            raise item.error
        clock, client = self._pipeline.clock(), self._client
        prediction = await self._pipeline.predict(client, item.image, self._options, clock)
        item.close()
        encode = partial(
            to_json, prediction, self._options, self._result_options, client.request_id
        )
        cost = self._result_options.cost
        return await encode_result(self._pool, prediction, clock, encode, cost)


async def _is_gone() -> bool:
    """Always False: a disconnect cannot be detected while the body is still being received."""
    return False


class _BatchResponse(StreamingResponse):
    """A response that sends the lines, then closes the batch, even if the client has left.

    A client of HTTP/1.0, such as a proxy of nginx's default, knows no chunks: it gets all lines at
    once, with their length.
    """

    media_type = NDJSON

    def __init__(self, batch: Batch, stack: AsyncExitStack) -> None:
        self._lines = batch.lines()
        super().__init__(self._lines, headers=NOT_STORED)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            if scope["http_version"] == "1.0":
                body = b"".join([line async for line in self._lines])
                whole = Response(body, media_type=NDJSON, headers=NOT_STORED)
                await whole(scope, receive, send)
            else:
                await super().__call__(scope, receive, send)


def routes(pipeline: Pipeline, pool: CpuPool) -> APIRouter:
    """The route /v1/segment/batch."""
    router = APIRouter(prefix="/v1", tags=["segmentation"])

    @router.post(
        "/segment/batch",
        summary="Segment many photographs",
        response_class=StreamingResponse,
        response_description="A line of JSON for each image, in the order in which they are ready.",
        responses=openapi.BATCH
        | problems(
            "invalid_request",
            "unsupported_encoding",
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
        options: Annotated[SegmentationOptions, Depends(parameters.fact_options)],
        result_options: Annotated[ResultOptions, Depends(parameters.result_options)],
    ) -> StreamingResponse:
        """Takes up to 100 images as file fields of one form.

        Computing begins while the others still arrive; the answer begins when all have arrived,
        and each image's line is sent as soon as it is ready. An image that cannot be segmented
        has a problem on its line and harms no other; an unknown model, version or class is told
        before anything is read.
        """
        client = replace(client_of(request), is_gone=_is_gone)
        pipeline.check(options, client)
        lines = _Lines(pipeline, pool, client, options, result_options)
        async with AsyncExitStack() as stack:
            batch = await stack.enter_async_context(pipeline.batch())
            async with pipeline.receiving_batch(request, batch) as items:
                async for item in items:
                    batch.start(item, lines.of(item))
            return _BatchResponse(batch, stack.pop_all())

    return router
