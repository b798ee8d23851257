"""What is served: models, their versions, and the legend of each."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from gateway import openapi
from gateway.api.segmentation import VERSION
from gateway.catalogue import Catalogue
from gateway.errors import NotFoundError
from gateway.management import ModelStatus
from gateway.palette import hex_colour
from gateway.schemas import Colours, Label, Labels, Model, Models, ModelVersion

MODEL = Path(description="Name of the model.", examples=["deeplabv3"], max_length=64)


def _model(name: str, now: ModelStatus) -> Model:
    versions = [
        ModelVersion(
            version=known.version,
            default=known.version == now.default_version,
            ready=known.workers > 0,
            workers=known.workers,
            loaded_at=known.loaded_at,
        )
        for known in now.versions
    ]
    return Model(name=name, default_version=now.default_version, versions=versions)


def _label(class_id: int, name: str) -> Label:
    colours = Colours(seed=hex_colour("seed", class_id), voc=hex_colour("voc", class_id))
    return Label(id=class_id, name=name, colours=colours)


def routes(catalogue: Catalogue) -> APIRouter:
    """The endpoints, bound to what is served."""
    router = APIRouter(prefix="/v1/models", tags=["models"])

    @router.get(
        "",
        summary="List the models",
        response_description="Every model with its versions.",
        responses=openapi.problems("model_unavailable"),
    )
    async def models() -> Models:
        """Every model with its versions, as TorchServe has them now."""
        return Models(models=[_model(catalogue.model, await catalogue.status())])

    @router.get(
        "/{model}/labels",
        summary="The legend of a model",
        response_description="Every class with its colour in each palette.",
        responses=openapi.problems("not_found", "invalid_request", "model_unavailable")
        | openapi.LEGEND,
    )
    async def labels(
        response: Response,
        model: Annotated[str, MODEL],
        version: Annotated[str | None, VERSION] = None,
    ) -> Labels:
        """Every class of a version: its id in the mask, its name, its colour in each palette."""
        if model != catalogue.model:
            raise NotFoundError(f"There is no model {model!r}. There is: {catalogue.model}.")
        chosen = version or await catalogue.default_version()
        found = await catalogue.labels(chosen)
        response.headers["X-Model"] = model
        response.headers["X-Model-Version"] = chosen
        listed = [_label(class_id, name) for class_id, name in sorted(found.items())]
        return Labels(model=model, version=chosen, labels=listed)

    return router
