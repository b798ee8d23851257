"""Response schemas of the models routes; no field has a default, so none is ever omitted."""

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, create_model

from gateway.masks.palettes import PALETTES


class ModelVersion(BaseModel):
    """One version of a model as it is being served now."""

    version: str = Field(description="Its name.")
    default: bool = Field(description="Whether requests without a version go to it.")
    ready: bool = Field(description="Whether at least one worker is ready.")
    workers: int = Field(description="Workers that are ready.")
    loaded_at: datetime | None = Field(description="When its oldest worker started.")


class Model(BaseModel):
    """A model and its versions."""

    name: str = Field(description="Its name in requests.")
    default_version: str = Field(description="The version of requests that name none.")
    versions: list[ModelVersion] = Field(description="All that are registered.")


class Models(BaseModel):
    """All models that this gateway serves."""

    models: list[Model] = Field(description="There is one.")


if TYPE_CHECKING:
    Colours = BaseModel
else:  # a field for each palette
    Colours = create_model(
        "Colours",
        __doc__="A class's colour in each palette, as #rrggbb.",
        **{
            name: (str, Field(pattern="^#[0-9a-f]{6}$", description=palette.description))
            for name, palette in PALETTES.items()
        },
    )


class Label(BaseModel):
    """One class: a pixel with this index shows a thing of this name."""

    id: int = Field(ge=0, le=255, description="The value of its pixels in a mask.")
    name: str = Field(description="What the model calls it.")
    colours: Colours = Field(description="Its colour in each palette.")


class Labels(BaseModel):
    """The legend of one version of a model."""

    model: str = Field(description="The model.")
    version: str = Field(description="The version.")
    labels: list[Label] = Field(description="Every class that it knows, ascending by id.")
