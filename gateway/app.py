"""Composition root: build each part once and wire the parts together; start nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from gateway.admission.cpu_pool import CpuPool
from gateway.admission.slots import Admission
from gateway.admission.upload_budget import UploadBudget
from gateway.application import Gateway
from gateway.document import description
from gateway.document.docs_page import add_documentation
from gateway.http.cors import Cors
from gateway.http.exception_handlers import HANDLERS
from gateway.http.lingering_close import LingeringClose
from gateway.http.proxies import Proxies
from gateway.http.response_headers import ResponseHeaders
from gateway.keys import routes as keys
from gateway.keys.access import Access, own_names, requires_keys
from gateway.keys.cache import KeyCache
from gateway.keys.quotas import Quotas, Rates
from gateway.keys.store import KeyStore
from gateway.models import routes as models
from gateway.models.catalogue import Catalogue
from gateway.models.readiness import Readiness
from gateway.openapi.version import VERSION
from gateway.operations import health, metrics
from gateway.protocols.hugging_face import routes as hugging_face
from gateway.protocols.label_studio import routes as label_studio
from gateway.protocols.label_studio.addresses import origin_of
from gateway.protocols.label_studio.annotator import Annotator
from gateway.protocols.label_studio.images import Images
from gateway.protocols.open_inference import routes as open_inference
from gateway.protocols.open_inference import routes_models as open_inference_models
from gateway.route_policy import ADMINISTRATION, policy_of
from gateway.segmentation import routes_batch, routes_drop_in, routes_segment
from gateway.segmentation.pipeline import Pipeline
from gateway.settings import Settings
from gateway.telemetry import loop_lag
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.middleware import Telemetry
from gateway.telemetry.stages import Stages
from gateway.telemetry.tracing import Tracing
from gateway.torchserve.inference import InferenceClient, Liveness
from gateway.torchserve.management import ManagementClient
from gateway.torchserve.transport import AiohttpTransport, Timeouts, Tokens, Transport

# Seconds after which an idle connection to TorchServe is not reused.
_KEEPALIVE_S = 30.0


@dataclass(frozen=True)
class _Serving:
    """The parts shared by all routes that run the model."""

    catalogue: Catalogue
    liveness: Liveness
    budget: UploadBudget
    pool: CpuPool
    pipeline: Pipeline


def create_app(
    settings: Settings,
    inference: Transport | None = None,
    management: httpx.AsyncBaseTransport | None = None,
    tracing: Tracing | None = None,
) -> FastAPI:
    """Return the gateway as an ASGI application; tests pass their own transports to TorchServe."""
    tracing = tracing or Tracing()
    counts = Metrics(settings)
    inference = inference or AiohttpTransport(_KEEPALIVE_S)
    # Ignore proxies and .netrc files of the environment: TorchServe is private.
    client = httpx.AsyncClient(
        transport=management,
        trust_env=False,
        limits=httpx.Limits(keepalive_expiry=_KEEPALIVE_S),
    )
    serving = _build_serving(settings, inference, client, counts, tracing)
    images = _label_studio_images(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client, loop_lag.watched(counts.lag):
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
    store = KeyStore(settings.keys_file)
    cache = KeyCache(store) if requires_keys(settings) else None
    _add_middleware(app, settings, cache, counts, tracing)
    _add_segmentation(app, serving)
    readiness = Readiness(serving.catalogue, serving.liveness, settings.unresponsive_s, app.state)
    _add_protocols(app, settings, serving, readiness, images)
    _add_administration(app, serving.catalogue, readiness, counts, store, cache)
    return app


def _build_serving(
    settings: Settings,
    inference: Transport,
    management: httpx.AsyncClient,
    counts: Metrics,
    tracing: Tracing,
) -> _Serving:
    """Build the pipeline and its dependencies."""
    tokens, liveness = Tokens(settings.torchserve_tokens), Liveness()
    timeouts = Timeouts(connect_s=settings.connect_timeout_s, read_s=settings.deadline_s)
    catalogue = Catalogue(
        ManagementClient(
            management, settings.management_url, settings.management_timeout_s, tokens, liveness
        ),
        settings.model,
        settings.catalogue_ttl_s,
    )
    admission = Admission(settings.max_concurrency, settings.max_queue)
    budget = UploadBudget(settings.max_buffered_bytes)
    counts.watch(lambda: admission.waiting, lambda: admission.in_use, lambda: budget.held)
    pipeline = Pipeline(
        settings,
        catalogue,
        InferenceClient(inference, settings.inference_url, timeouts, tokens, liveness),
        admission,
        budget,
        Stages(counts, tracing, catalogue.remembered_labels),
    )
    return _Serving(catalogue, liveness, budget, CpuPool(), pipeline)


def _add_middleware(
    app: FastAPI,
    settings: Settings,
    cache: KeyCache | None,
    counts: Metrics,
    tracing: Tracing,
) -> None:
    """Add the middleware in front of every route, from the innermost to the outermost."""
    if cache is not None or settings.rate_limit or settings.key_concurrency:
        url = settings.limits_url.get_secret_value() if settings.limits_url else None
        app.add_middleware(Quotas, settings=settings, rates=Rates(url))
    app.add_middleware(Access, cache=cache, hosts=own_names(settings))
    app.add_middleware(LingeringClose)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins, excluded=ADMINISTRATION)
    app.add_middleware(Telemetry, metrics=counts, is_traced=tracing.provider is not None)
    app.add_middleware(ResponseHeaders)
    if settings.trusted_proxies or settings.root_path:
        app.add_middleware(Proxies, trusted=settings.trusted_proxies, prefix=settings.root_path)


def _add_segmentation(app: FastAPI, serving: _Serving) -> None:
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
    serving: _Serving,
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
    store: KeyStore,
    cache: KeyCache | None,
) -> None:
    """Add the routes for models, probes, metrics, keys and the documentation."""
    app.include_router(models.routes(catalogue))
    app.include_router(health.routes(catalogue.model, readiness))
    app.include_router(metrics.routes(counts, catalogue, readiness))
    app.include_router(keys.routes(store, cache))
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
