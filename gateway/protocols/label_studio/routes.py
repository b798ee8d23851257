"""The routes under /v1/label-studio: health, setup and predict."""

from typing import Annotated, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.http.responses import JSON, NOT_STORED
from gateway.models.headers import model_headers
from gateway.models.parameters import VERSION
from gateway.openapi.problems import problems
from gateway.protocols.label_studio import openapi
from gateway.protocols.label_studio.annotator import Annotator
from gateway.protocols.label_studio.messages import (
    LabelStudioHealth,
    LabelStudioPredictions,
    LabelStudioSetup,
    version_name,
)

_PROBLEMS: Final = problems(
    "unsupported_encoding",
    "image_too_large",
    "not_found",
    "overloaded",
    "source_unavailable",
    "model_unavailable",
    "deadline_exceeded",
    invalid_request="The labelling configuration is not well-formed XML.",
)


def routes(annotator: Annotator, model: str) -> APIRouter:
    """The routes under /v1/label-studio."""
    router = APIRouter(prefix="/v1/label-studio", tags=["protocols"])

    @router.get("/health", summary="Does the back end live?", response_description="It does: UP.")
    async def label_studio_health() -> LabelStudioHealth:
        """Asked by Label Studio before anything else."""
        return LabelStudioHealth(status="UP", model_class=model)

    @router.post(
        "/setup",
        summary="Connect a project",
        response_description="The version that answers.",
        responses=openapi.CONNECTED | _PROBLEMS,
        openapi_extra=openapi.PROJECT,
    )
    async def label_studio_setup(
        request: Request, response: Response, version: Annotated[str | None, VERSION] = None
    ) -> LabelStudioSetup:
        """Says which version answers, and refuses a labelling configuration without brushes.

        Nothing is remembered of the project, its host name or its access token.
        """
        await annotator.check_project(request)
        target = annotator.target(version)
        response.headers.update(model_headers(target.model, target.version))
        return LabelStudioSetup(model_version=version_name(target))

    @router.post(
        "/predict",
        summary="Predict tasks",
        response_model=LabelStudioPredictions,
        response_description="A prediction for each task, in their order.",
        responses=openapi.PREDICTED | _PROBLEMS,
        openapi_extra=openapi.TASKS,
    )
    async def label_studio_predict(
        request: Request, version: Annotated[str | None, VERSION] = None
    ) -> Response:
        """Takes up to 1000 tasks. Images are data URIs, or files of the configured Label Studio.

        Nothing is fetched from elsewhere.

        Each class for which the configuration's BrushLabels have a label becomes a region. A
        task whose image cannot be segmented gets an empty result and the reason in `error`.
        """
        target, body = await annotator.predictions(request, version)
        headers = model_headers(target.model, target.version) | NOT_STORED
        return Response(body, media_type=JSON, headers=headers)

    return router
