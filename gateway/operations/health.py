"""Probes: liveness of the process and readiness of the model."""

from fastapi import APIRouter

from gateway.models.readiness import Readiness as ModelReadiness
from gateway.openapi.problems import problems
from gateway.operations.schemas import Health, Readiness


def routes(model: str, readiness: ModelReadiness) -> APIRouter:
    """The probes for a model."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="Is the gateway alive?", response_description="It is.")
    async def health() -> Health:
        """Returns 200 while the process runs; contacts no other service."""
        return Health(status="ok")

    @router.get(
        "/readyz",
        summary="Does the model answer?",
        response_description="The default version has workers that answer.",
        responses=problems("model_unavailable"),
    )
    async def ready() -> Readiness:
        """Looks up the workers of the default version, and asks one of them for an answer."""
        default = await readiness.check()
        return Readiness(
            status="ready", model=model, version=default.version, workers=default.workers
        )

    return router
