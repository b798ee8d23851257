"""The repository index and the statistics of the Open Inference Protocol."""

from typing import Annotated

from fastapi import APIRouter, Body

from gateway.http.json_body import SmallBodyRoute
from gateway.models.catalogue import Catalogue
from gateway.models.parameters import MODEL, VERSION_IN_PATH
from gateway.openapi.problems import problems
from gateway.protocols.open_inference import openapi
from gateway.protocols.open_inference.repository import (
    OpenInferenceRepositoryEntry,
    OpenInferenceRepositoryRequest,
    index,
)
from gateway.protocols.open_inference.statistics import OpenInferenceStatistics, statistics
from gateway.telemetry.image_metrics import ImageMetrics

_NO_MODEL = problems(
    "model_unavailable",
    not_found="There is no model 'other'. There is: deeplabv3.",
    invalid_request="A parameter is not valid: path model: String should have at most 64 "
    "characters.",
)


def routes(catalogue: Catalogue, metrics: ImageMetrics) -> APIRouter:
    """The routes for a catalogue. metrics: of the images that this gateway answered."""
    router = APIRouter(prefix="/v2", tags=["protocols"], route_class=SmallBodyRoute)

    def answered(versions: list[str]) -> OpenInferenceStatistics:
        return statistics(metrics, catalogue.model, versions)

    def of_all() -> OpenInferenceStatistics:
        return answered([each.version for each in catalogue.registered().versions])

    @router.post(
        "/repository/index",
        summary="The versions in the repository",
        response_description="Each registered version and its state.",
        responses=openapi.INDEX
        | problems(
            "model_unavailable",
            "image_too_large",
            "unsupported_encoding",
            invalid_request="A parameter is not valid: body ready: Input should be a "
            "valid boolean.",
        ),
    )
    async def repository_index(
        request: Annotated[
            OpenInferenceRepositoryRequest | None, Body(examples=[{"ready": True}])
        ] = None,
    ) -> list[OpenInferenceRepositoryEntry]:
        """The states are those that the nodes reported last; no request goes to them."""
        return index(catalogue, request or OpenInferenceRepositoryRequest(ready=False))

    @router.get(
        "/models/stats",
        summary="Statistics of all models",
        response_description="Counts and durations of each version.",
        responses=problems("model_unavailable"),
    )
    async def all_statistics() -> OpenInferenceStatistics:
        """The images that this gateway answered since it started, and where their time went."""
        return of_all()

    @router.get(
        "/models/{model}/stats",
        summary="Statistics of a model",
        response_description="Counts and durations of each version.",
        responses=_NO_MODEL,
    )
    async def model_statistics(model: Annotated[str, MODEL]) -> OpenInferenceStatistics:
        """The same for the versions of one model."""
        catalogue.check_model(model)
        return of_all()

    @router.get(
        "/models/{model}/versions/{version}/stats",
        summary="Statistics of a version",
        response_description="Counts and durations of the version.",
        responses=_NO_MODEL,
    )
    async def model_version_statistics(
        model: Annotated[str, MODEL], version: Annotated[str, VERSION_IN_PATH]
    ) -> OpenInferenceStatistics:
        """The same for one version, by its name or an alias."""
        catalogue.check_model(model)
        return answered([catalogue.named(version)])

    return router
