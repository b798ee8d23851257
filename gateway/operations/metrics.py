"""GET /metrics, for Prometheus."""

import asyncio
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from gateway.errors import GatewayError
from gateway.models.catalogue import Catalogue
from gateway.models.readiness import Readiness
from gateway.operations.openapi import METRICS
from gateway.telemetry.metrics import CONTENT_TYPE, Metrics

# A scrape must not wait for TorchServe; a model whose status is unknown by then is not ready.
_TIMEOUT_S: Final = 1.0


class MetricsResponse(Response):
    """A response in Prometheus' text format."""

    media_type = CONTENT_TYPE


async def _update_workers(metrics: Metrics, catalogue: Catalogue, readiness: Readiness) -> None:
    status = catalogue.known
    if status is None:
        metrics.workers(catalogue.model, False, {})
        return
    workers = {known.version: known.workers for known in status.versions}
    metrics.workers(catalogue.model, await _is_ready(readiness), workers)


async def _is_ready(readiness: Readiness) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await readiness.check()
    except (GatewayError, TimeoutError):
        return False
    return True


def routes(metrics: Metrics, catalogue: Catalogue, readiness: Readiness) -> APIRouter:
    """The route /metrics."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_class=MetricsResponse,
        responses={200: {"content": {CONTENT_TYPE: {"example": METRICS}}}},
        response_description="Counters, gauges and histograms in Prometheus' text format.",
    )
    async def get_metrics() -> Response:
        """Requests, stages, errors, queue, buffers, what the masks show, and the process."""
        await _update_workers(metrics, catalogue, readiness)
        return MetricsResponse(await run_in_threadpool(metrics.exposition))

    return router
