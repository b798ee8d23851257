"""The routes under /v1/models: models, their versions and labels."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.masks.palettes import PALETTES
from gateway.models import openapi
from gateway.models.catalogue import Catalogue
from gateway.models.detail import detail
from gateway.models.headers import model_headers
from gateway.models.parameters import MODEL, VERSION, VERSION_IN_PATH, VERSION_PATTERN
from gateway.models.schemas import (
    Colours,
    Label,
    Labels,
    Model,
    Models,
    ModelVersion,
    ModelVersionDetail,
)
from gateway.models.status import ModelStatus
from gateway.openapi.problems import problems


def _model(name: str, status: ModelStatus) -> Model:
    versions = [
        ModelVersion(
            version=known.version,
            default=known.version == status.default_version,
            ready=known.workers > 0,
            workers=known.workers,
            loaded_at=known.loaded_at,
        )
        for known in status.versions
    ]
    return Model(name=name, default_version=status.default_version, versions=versions)


def _label(class_id: int, name: str) -> Label:
    colours = {key: palette.hex_colour(class_id) for key, palette in PALETTES.items()}
    return Label(id=class_id, name=name, colours=Colours(**colours))


def _cached(request: Request, labels: Labels, headers: dict[str, str]) -> Response:
    """Return the labels, or 304 if the client has them already."""
    body = labels.model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = headers | {"ETag": tag, "Cache-Control": "no-cache"}
    known = request.headers.get("If-None-Match", "")
    if tag in (each.strip().removeprefix("W/") for each in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def routes(catalogue: Catalogue) -> APIRouter:
    """The routes for a catalogue."""
    router = APIRouter(prefix="/v1/models", tags=["models"])

    @router.get(
        "",
        summary="List the models",
        response_description="Every model with its versions.",
        responses=problems("model_unavailable"),
    )
    async def list_models() -> Models:
        """Every model with its versions, as the nodes reported them last."""
        return Models(models=[_model(catalogue.model, catalogue.status())])

    @router.get(
        "/{model}/labels",
        summary="The legend of a model",
        response_description="Every class with its colour in each palette.",
        response_model=Labels,
        responses=problems(
            "not_found",
            "model_unavailable",
            invalid_request="A parameter is not valid: query version: String should match pattern "
            f"'{VERSION_PATTERN}'.",
        )
        | openapi.LABELS,
    )
    async def labels(
        request: Request,
        model: Annotated[str, MODEL],
        version: Annotated[str | None, VERSION] = None,
    ) -> Response:
        """Every class of a version: its id in the mask, its name, its colour in each palette.

        Clients may keep it: send the `ETag` back as `If-None-Match`, and while the legend is the
        same the answer is 304 and empty.
        """
        catalogue.check_model(model)
        resolved = catalogue.named(version)
        names = catalogue.labels(resolved)
        listed = [_label(class_id, name) for class_id, name in sorted(names.items())]
        body = Labels(model=model, version=resolved, labels=listed)
        return _cached(request, body, model_headers(model, resolved))

    @router.get(
        "/{model}/versions/{version}",
        summary="One version of a model",
        response_description="What its author says, what it sees, and the proof of its export.",
        responses=problems(
            "model_unavailable",
            not_found="deeplabv3 has no version 9.9. It has: 1.0.",
            invalid_request="A parameter is not valid: path version: String should match pattern "
            f"'{VERSION_PATTERN}'.",
        ),
    )
    async def model_version(
        model: Annotated[str, MODEL], version: Annotated[str, VERSION_IN_PATH]
    ) -> ModelVersionDetail:
        """A version's purpose and limits, its network's input, and how exact its export is."""
        catalogue.check_model(model)
        return detail(model, version, catalogue.facts(version))

    return router
