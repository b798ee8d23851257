"""The composition root: builds every part once, wires them, and starts nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.telemetry import TelemetryConfig

from gateway.admission.cpu_pool import Offload
from gateway.admission.slots import Admission
from gateway.admission.upload_budget import Memory
from gateway.document import completion, description
from gateway.http.cors import Cors
from gateway.http.docs_page import add_documentation
from gateway.http.exception_handlers import HANDLERS
from gateway.http.lingering_close import Lingering
from gateway.http.response_headers import ResponseHeaders
from gateway.keys import access
from gateway.keys import routes as admin
from gateway.keys.cache import Register
from gateway.keys.quotas import Quotas, Rates
from gateway.keys.store import KeyFile
from gateway.models import routes as models
from gateway.models.catalogue import Catalogue
from gateway.openapi.version import VERSION
from gateway.operations import health, metrics
from gateway.protocols.hugging_face import routes as hugging_face
from gateway.protocols.label_studio import routes as label_studio
from gateway.protocols.label_studio.annotator import Annotator
from gateway.protocols.open_inference import routes as open_inference
from gateway.protocols.open_inference import routes_models as open_inference_models
from gateway.route_policy import policy_of
from gateway.segmentation import routes_batch as batch
from gateway.segmentation import routes_drop_in as segmentation
from gateway.segmentation import routes_segment as segment
from gateway.segmentation.pipeline import Pipeline
from gateway.settings import Settings
from gateway.telemetry import loop_lag
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.middleware import Telemetry
from gateway.telemetry.stages import Stages
from gateway.telemetry.tracing import Tracing
from gateway.torchserve.inference import TorchServe
from gateway.torchserve.management import Management
from gateway.torchserve.transport import Connections, Patience, Transport

# Seconds after which an idle connection to TorchServe is not used again.
_KEEPALIVE_S = 30.0


class Gateway(FastAPI):
    """FastAPI with our additions to the document."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = completion.complete(
                get_openapi(
                    title=self.title,
                    version=self.version,
                    description=self.description,
                    routes=self.routes,
                    tags=self.openapi_tags,
                )
            )
        return self.openapi_schema


def _protect(app: FastAPI, settings: Settings, register: Register | None) -> None:
    """Adds what is in front of every route, from the inside to the outside."""
    if register is not None or settings.rate_limit or settings.key_concurrency:
        url = settings.limits_url.get_secret_value() if settings.limits_url else None
        app.add_middleware(Quotas, settings=settings, rates=Rates(url))
    app.add_middleware(access.Access, register=register)
    app.add_middleware(Lingering)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)


def _server_spans(tracing: Tracing) -> TelemetryConfig:
    """FastAPI makes the span of each request; metrics and logs are our own."""
    return {
        "tracing": tracing.provider is not None,
        "tracer_provider": tracing.provider,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": lambda scope: policy_of(scope["path"]).probe,
    }


@asynccontextmanager
async def _watched_loop(counts: Metrics, tracing: Tracing) -> AsyncIterator[None]:
    """While the application runs: measures the event loop; afterwards sends the last spans."""
    watch = asyncio.create_task(loop_lag.watch(counts.lag))
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.to_thread(tracing.close)


def create_app(
    settings: Settings,
    transport: Transport | None = None,
    tracing: Tracing | None = None,
) -> FastAPI:
    """The gateway as an ASGI application; a transport takes TorchServe's place in tests."""
    tracing = tracing or Tracing()
    counts = Metrics(settings)
    transport = transport or Connections(_KEEPALIVE_S)
    patience = Patience(connect_s=settings.connect_timeout_s, read_s=settings.deadline_s)
    # Neither a proxy nor a .netrc of the environment has a say between us and TorchServe.
    client = httpx.AsyncClient(transport=transport, trust_env=False)
    management = Management(client, settings.management_url, settings.management_timeout_s)
    catalogue = Catalogue(management, settings.model, settings.catalogue_ttl_s)
    keys = KeyFile(settings.keys_file)
    register = Register(keys) if access.asks_for_keys(settings) else None
    admission = Admission(settings.max_concurrency, settings.max_queue)
    memory = Memory(settings.max_buffered_bytes)
    counts.watch(lambda: admission.waiting, lambda: admission.taken, lambda: memory.held)
    pipeline = Pipeline(
        settings,
        catalogue,
        TorchServe(transport, settings.inference_url, patience),
        admission,
        memory,
        Stages(counts, tracing, catalogue.remembered_labels),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client, _watched_loop(counts, tracing):
            yield

    app = Gateway(
        title=description.TITLE,
        version=VERSION,
        description=description.DESCRIPTION,
        openapi_tags=description.TAGS,
        docs_url=None,  # ours needs no other host
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
        exception_handlers=HANDLERS,
        telemetry=_server_spans(tracing),
    )
    _protect(app, settings, register)
    app.add_middleware(Telemetry, metrics=counts)
    app.add_middleware(ResponseHeaders)
    app.include_router(segmentation.routes(pipeline))
    offload = Offload()
    app.include_router(segment.routes(pipeline, offload))
    app.include_router(batch.routes(pipeline, offload))
    app.include_router(hugging_face.routes(pipeline, offload))
    app.include_router(open_inference.routes(pipeline, offload))
    app.include_router(open_inference_models.routes(catalogue))
    annotator = Annotator(pipeline, catalogue, memory, offload)
    app.include_router(label_studio.routes(annotator, settings.model))
    app.include_router(models.routes(catalogue))
    app.include_router(health.routes(catalogue))
    app.include_router(metrics.routes(counts, catalogue))
    app.include_router(admin.routes(keys, register))
    add_documentation(app)
    return app
