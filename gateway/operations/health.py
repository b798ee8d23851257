"""Probes: liveness of the process and readiness of the model."""

from fastapi import APIRouter, Request

from gateway.errors import ModelUnavailableError
from gateway.models.catalogue import Catalogue
from gateway.openapi.problems import problems
from gateway.operations.schemas import Health, Readiness
from gateway.operations.shutdown import is_stopping


def routes(catalogue: Catalogue) -> APIRouter:
    """The probes for a catalogue."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="Is the gateway alive?", response_description="It is.")
    async def health() -> Health:
        """Returns 200 while the process runs; contacts no other service."""
        return Health(status="ok")

    @router.get(
        "/readyz",
        summary="Does the model answer?",
        response_description="The default version has workers that are ready.",
        responses=problems("model_unavailable"),
    )
    async def ready(request: Request) -> Readiness:
        """Asks TorchServe for the workers of the default version."""
        if is_stopping(request.app):
            raise ModelUnavailableError("The gateway is stopping.")
        status = await catalogue.status()
        default = status.find(status.default_version)
        if default is None or default.workers == 0:
            raise ModelUnavailableError(
                f"Version {status.default_version} of {catalogue.model} "
                "has no worker that is ready."
            )
        return Readiness(
            status="ready",
            model=catalogue.model,
            version=default.version,
            workers=default.workers,
        )

    return router
