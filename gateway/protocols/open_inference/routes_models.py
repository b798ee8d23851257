"""The metadata and readiness routes of the Open Inference Protocol."""

from typing import Annotated

from fastapi import APIRouter

from gateway.models.catalogue import Catalogue
from gateway.models.parameters import MODEL, VERSION_IN_PATH
from gateway.models.readiness import Readiness
from gateway.openapi.problems import problems
from gateway.openapi.version import VERSION as API_VERSION
from gateway.protocols.open_inference.metadata import (
    EXTENSIONS,
    OpenInferenceLive,
    OpenInferenceModelMetadata,
    OpenInferenceModelReady,
    OpenInferenceReady,
    OpenInferenceServer,
    metadata,
)

_NO_MODEL = problems(
    "model_unavailable",
    not_found="There is no model 'other'. There is: deeplabv3.",
    invalid_request="A parameter is not valid: path model: String should have at most 64 "
    "characters.",
)


class _Models:
    """Metadata and readiness of models, with or without a version."""

    def __init__(self, catalogue: Catalogue, readiness: Readiness) -> None:
        self._catalogue = catalogue
        self._readiness = readiness

    async def metadata(self, model: str, version: str | None) -> OpenInferenceModelMetadata:
        self._catalogue.check_model(model)
        if version is not None:
            self._catalogue.find(version)
        return metadata(model, self._catalogue.status())

    async def ready(self, model: str, version: str | None) -> OpenInferenceModelReady:
        """Raise ModelUnavailableError while no worker is ready and answers."""
        self._catalogue.check_model(model)
        await self._readiness.check(version)
        return OpenInferenceModelReady(name=model, ready=True)

    async def default_ready(self) -> OpenInferenceReady:
        await self._readiness.check()
        return OpenInferenceReady(ready=True)


def routes(catalogue: Catalogue, readiness: Readiness) -> APIRouter:
    """The routes for a catalogue."""
    router = APIRouter(prefix="/v2", tags=["protocols"])
    models = _Models(catalogue, readiness)

    @router.get("", summary="The server", response_description="Its name and version.")
    async def server_metadata() -> OpenInferenceServer:
        """What answers here, in the words of the Open Inference Protocol, version 2."""
        return OpenInferenceServer(name="segserve", version=API_VERSION, extensions=EXTENSIONS)

    @router.get("/health/live", summary="Does the server live?", response_description="It does.")
    async def server_live() -> OpenInferenceLive:
        """As /healthz: answers as long as the gateway does."""
        return OpenInferenceLive(live=True)

    @router.get(
        "/health/ready",
        summary="Is the server ready?",
        response_description="The default version has workers that are ready.",
        responses=problems("model_unavailable"),
    )
    async def server_ready() -> OpenInferenceReady:
        """As /readyz: looks up the workers, and asks one of them for an answer."""
        return await models.default_ready()

    @router.get(
        "/models/{model}",
        summary="What a model takes and gives",
        response_description="Its versions and tensors.",
        responses=_NO_MODEL,
    )
    async def model_metadata(model: Annotated[str, MODEL]) -> OpenInferenceModelMetadata:
        """The input `image` and the outputs `mask`, `png` and `classes`."""
        return await models.metadata(model, None)

    @router.get(
        "/models/{model}/versions/{version}",
        summary="What a version takes and gives",
        response_description="The model's versions and tensors.",
        responses=_NO_MODEL,
    )
    async def model_version_metadata(
        model: Annotated[str, MODEL], version: Annotated[str, VERSION_IN_PATH]
    ) -> OpenInferenceModelMetadata:
        """The same for all versions; 404 for one that is not registered."""
        return await models.metadata(model, version)

    @router.get(
        "/models/{model}/ready",
        summary="Is a model ready?",
        response_description="The default version has workers that are ready.",
        responses=_NO_MODEL,
    )
    async def model_ready(model: Annotated[str, MODEL]) -> OpenInferenceModelReady:
        """503 while the default version has no worker that is ready."""
        return await models.ready(model, None)

    @router.get(
        "/models/{model}/versions/{version}/ready",
        summary="Is a version ready?",
        response_description="It has workers that are ready.",
        responses=_NO_MODEL,
    )
    async def model_version_ready(
        model: Annotated[str, MODEL], version: Annotated[str, VERSION_IN_PATH]
    ) -> OpenInferenceModelReady:
        """503 while the version has no worker that is ready."""
        return await models.ready(model, version)

    return router
