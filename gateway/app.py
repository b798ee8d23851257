"""Composition root: build each part once and wire the parts together; start nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from gateway.admin.routes import routes as admin_routes
from gateway.agents import routes as agents
from gateway.application import Gateway
from gateway.document import description
from gateway.document.docs_page import add_documentation
from gateway.http.cors import Cors
from gateway.http.exception_handlers import HANDLERS
from gateway.http.lingering_close import LingeringClose
from gateway.http.proxies import Proxies
from gateway.http.response_headers import ResponseHeaders
from gateway.keys import routes as keys
from gateway.keys.access import Access, own_names
from gateway.keys.quotas import Quotas, Rates
from gateway.models import routes as models
from gateway.models.catalogue import Catalogue
from gateway.models.readiness import Readiness
from gateway.openapi.version import VERSION
from gateway.operations import health, memory, metrics
from gateway.protocols.hugging_face import routes as hugging_face
from gateway.protocols.label_studio import routes as label_studio
from gateway.protocols.label_studio.addresses import origin_of
from gateway.protocols.label_studio.annotator import Annotator
from gateway.protocols.label_studio.images import Images
from gateway.protocols.open_inference import routes as open_inference
from gateway.protocols.open_inference import routes_models as open_inference_models
from gateway.protocols.open_inference import routes_repository as open_inference_repository
from gateway.route_policy import ADMINISTRATION, policy_of
from gateway.segmentation import routes_batch, routes_drop_in, routes_segment
from gateway.segmentation.shadow.after_answer import AfterAnswer
from gateway.serving import Serving, build_serving
from gateway.settings import Settings
from gateway.state import State, build_state
from gateway.telemetry import loop_lag
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.middleware import Telemetry
from gateway.telemetry.tracing import Tracing
from gateway.torchserve.transport import AiohttpTransport, Transport

# Seconds after which an idle connection to TorchServe is not reused.
_KEEPALIVE_S = 30.0


def create_app(
    settings: Settings,
    inference: Transport | None = None,
    tracing: Tracing | None = None,
    state: State | None = None,
) -> FastAPI:
    """Return the gateway as an ASGI application.

    inference, state: tests pass their own transport to TorchServe, and a state that they prepared.
    """
    tracing = tracing or Tracing()
    counts = Metrics(settings)
    inference = inference or AiohttpTransport(_KEEPALIVE_S)
    state = state or build_state(settings)
    serving = build_serving(settings, inference, state, counts, tracing)
    images = _label_studio_images(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with (
            state.open(),
            serving.mirror.running(),
            serving.trial.running(),
            loop_lag.watched(counts.lag),
            memory.trimmed(),
        ):
            yield
        await asyncio.to_thread(tracing.close)
        await inference.close()
        if images is not None:
            await images.close()

    app = Gateway(
        title=description.TITLE,
        version=VERSION,
        description=description.DESCRIPTION,
        openapi_tags=description.TAGS,
        docs_url=None,  # our own page loads nothing from other hosts
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
        redirect_slashes=False,  # a redirect would leave the path prefix of a proxy
        exception_handlers=HANDLERS,
        telemetry=_server_spans(tracing),
    )
    app.state.gateway_state = state
    _add_middleware(app, settings, state, counts, tracing)
    _add_segmentation(app, serving)
    readiness = Readiness(
        serving.catalogue, serving.dispatcher, serving.liveness, settings.unresponsive_s, app.state
    )
    # In front of the others: "stats" is no model.
    app.include_router(open_inference_repository.routes(serving.catalogue, counts.images))
    _add_protocols(app, settings, serving, readiness, images)
    _add_administration(app, serving.catalogue, readiness, counts, state)
    return app


def _add_middleware(
    app: FastAPI,
    settings: Settings,
    state: State,
    counts: Metrics,
    tracing: Tracing,
) -> None:
    """Add the middleware in front of every route, from the innermost to the outermost."""
    if state.cache is not None or settings.rate_limit or settings.key_concurrency:
        url = settings.limits_url.get_secret_value() if settings.limits_url else None
        app.add_middleware(Quotas, settings=settings, rates=Rates(url))
    app.add_middleware(
        Access, cache=state.cache, hosts=own_names(settings), local=state.admin_token
    )
    app.add_middleware(LingeringClose)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins, excluded=ADMINISTRATION)
    app.add_middleware(Telemetry, metrics=counts, is_traced=tracing.provider is not None)
    app.add_middleware(ResponseHeaders)
    app.add_middleware(AfterAnswer)
    if settings.trusted_proxies or settings.root_path:
        app.add_middleware(Proxies, trusted=settings.trusted_proxies, prefix=settings.root_path)


def _add_segmentation(app: FastAPI, serving: Serving) -> None:
    app.include_router(routes_drop_in.routes(serving.pipeline))
    app.include_router(routes_segment.routes(serving.pipeline, serving.pool))
    app.include_router(routes_batch.routes(serving.pipeline, serving.pool))


def _label_studio_images(settings: Settings) -> Images | None:
    """Return the client of the Label Studio server, if the settings name one."""
    url, key = settings.label_studio_url, settings.label_studio_api_key
    if url is None or key is None:
        return None
    return Images(origin_of(url), key.get_secret_value(), settings.connect_timeout_s)


def _add_protocols(
    app: FastAPI,
    settings: Settings,
    serving: Serving,
    readiness: Readiness,
    images: Images | None,
) -> None:
    app.include_router(hugging_face.routes(serving.pipeline, serving.pool))
    app.include_router(open_inference.routes(serving.pipeline, serving.pool))
    app.include_router(open_inference_models.routes(serving.catalogue, readiness))
    annotator = Annotator(serving.pipeline, serving.catalogue, serving.budget, serving.pool, images)
    app.include_router(label_studio.routes(annotator, settings.model))


def _add_administration(
    app: FastAPI,
    catalogue: Catalogue,
    readiness: Readiness,
    counts: Metrics,
    state: State,
) -> None:
    """Add the routes for models, probes, metrics, administration, agents and the documentation."""
    app.include_router(models.routes(catalogue))
    app.include_router(health.routes(catalogue.model, readiness))
    app.include_router(metrics.routes(counts, catalogue, readiness))
    app.include_router(keys.routes(state.keys, state.cache))
    app.include_router(
        agents.routes(state.heartbeats, state.seeds, state.archives, state.node_token)
    )
    for router in admin_routes(state.administration):
        app.include_router(router)
    add_documentation(app)


def _server_spans(tracing: Tracing) -> TelemetryConfig:
    """FastAPI's telemetry settings: a span for each request; metrics and logs are our own."""
    return {
        "tracing": tracing.provider is not None,
        "tracer_provider": tracing.provider,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": lambda scope: policy_of(scope["path"]).probe,
    }
