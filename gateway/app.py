"""The composition root: builds every part once, wires them, and starts nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway import openapi
from gateway.admission import Admission
from gateway.api import health, models, segmentation
from gateway.api.documentation import add_documentation
from gateway.catalogue import Catalogue
from gateway.connections import Connections
from gateway.handlers import HANDLERS
from gateway.lingering import Lingering
from gateway.management import Management
from gateway.memory import Memory
from gateway.pipeline import Pipeline
from gateway.settings import Settings
from gateway.telemetry import Telemetry
from gateway.torchserve import TorchServe

# Seconds after which an idle connection to TorchServe is not used again.
_KEEPALIVE_S = 30.0


def _client(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """The one client, for TorchServe's two APIs."""
    return httpx.AsyncClient(
        transport=transport or Connections(_KEEPALIVE_S),
        timeout=httpx.Timeout(settings.deadline_s, connect=settings.connect_timeout_s),
        # Neither a proxy nor a .netrc of the environment has a say between us and TorchServe.
        trust_env=False,
    )


class Gateway(FastAPI):
    """FastAPI with our additions to the document."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi.complete(
                get_openapi(
                    title=self.title,
                    version=self.version,
                    description=self.description,
                    routes=self.routes,
                    tags=self.openapi_tags,
                )
            )
        return self.openapi_schema


def create_app(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """The gateway as an ASGI application; a transport takes TorchServe's place in tests."""
    client = _client(settings, transport)
    management = Management(client, settings.management_url, settings.management_timeout_s)
    catalogue = Catalogue(management, settings.model, settings.catalogue_ttl_s)
    pipeline = Pipeline(
        settings,
        catalogue,
        TorchServe(client, settings.inference_url),
        Admission(settings.max_concurrency, settings.max_queue),
        Memory(settings.max_buffered_bytes),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    app = Gateway(
        title=openapi.TITLE,
        version=openapi.VERSION,
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        docs_url=None,  # ours needs no other host
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers=HANDLERS,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.add_middleware(Lingering)
    app.add_middleware(Telemetry)
    app.include_router(segmentation.routes(pipeline))
    app.include_router(models.routes(catalogue))
    app.include_router(health.routes(catalogue))
    add_documentation(app)
    return app
