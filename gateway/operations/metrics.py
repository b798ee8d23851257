"""GET /metrics: what Prometheus scrapes."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from gateway.errors import GatewayError
from gateway.models.catalogue import Catalogue
from gateway.operations.openapi import METRICS
from gateway.telemetry.metrics import CONTENT_TYPE, Metrics

# A scrape must not wait for TorchServe: what cannot be asked in time is not ready.
_PATIENCE_S: Final = 1.0


class MetricsResponse(Response):
    """An answer in Prometheus' text format."""

    media_type = CONTENT_TYPE


async def _ask_for_workers(metrics: Metrics, catalogue: Catalogue) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            now = await catalogue.status()
    except (GatewayError, TimeoutError):
        metrics.workers(catalogue.model, False, {})
        return
    workers = {known.version: known.workers for known in now.versions}
    metrics.workers(catalogue.model, workers.get(now.default_version, 0) > 0, workers)
    with suppress(GatewayError, TimeoutError):  # a busy worker is asked again at the next scrape
        async with asyncio.timeout(_PATIENCE_S):
            await _learn_labels(catalogue, workers)


async def _learn_labels(catalogue: Catalogue, workers: Mapping[str, int]) -> None:
    """Has the names of the classes remembered, by which masks are counted."""
    for version, count in workers.items():
        if count > 0:
            await catalogue.labels(version)


def routes(metrics: Metrics, catalogue: Catalogue) -> APIRouter:
    """The endpoint, bound to what is counted."""
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
        await _ask_for_workers(metrics, catalogue)
        return MetricsResponse(await run_in_threadpool(metrics.exposition))

    return router
