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
    default_version: str | None = Field(
        description="The version of requests that name none; null before one is stable."
    )
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


class ClassFace(BaseModel):
    """One class as the model's author shows it."""

    id: int = Field(ge=0, le=255, description="The value of its pixels in a mask.")
    name: str = Field(description="What the model calls it; requests choose it by this name.")
    display_name: str = Field(description="What people read; the same name if none was given.")
    colour: str | None = Field(description="The author's colour, as #rrggbb.")


class Card(BaseModel):
    """What the model's author says about it, in model.toml; null where nothing was said."""

    name: str | None = Field(description="What the model is called.")
    purpose: str | None = Field(description="What it is for.")
    limits: str | None = Field(description="What it cannot do, or was not tried on.")
    author: str | None = Field(description="Who made it.")
    licence: str | None = Field(description="The licence of its weights.")
    changes: str | None = Field(description="What changed in this version.")
    examples: list[str] = Field(description="Pictures to try it on.")
    classes: list[ClassFace] = Field(description="Every class, ascending by id.")


class NetworkInput(BaseModel):
    """What the network sees of a picture; null for an archive that does not say."""

    fit: str | None = Field(
        description="long_side, short_side, fixed (the picture is stretched) or native."
    )
    long_side: int | None = Field(description="The long side in pixels, or the most it may be.")
    short_side: int | None = Field(description="The short side in pixels, for that fit.")
    width: int | None = Field(description="The width in pixels, for the fit fixed.")
    height: int | None = Field(description="The height in pixels, for the fit fixed.")
    multiple: int | None = Field(description="Both sides are multiples of it.")
    interpolation: str | None = Field(description="bilinear, bicubic or nearest.")
    channels: str | None = Field(description="rgb or bgr.")
    mean: list[float] = Field(description="Subtracted from R, G and B in 0..1.")
    std: list[float] = Field(description="Then R, G and B are divided by it.")
    sources: dict[str, str] = Field(description="Where each of these facts comes from.")


class Proof(BaseModel):
    """How the export was compared with the original network."""

    agreement: float | None = Field(
        description="Share of the pixels with the original's class, 0 to 1; a mean over the "
        "photographs."
    )
    photographs: dict[str, float] = Field(description="The same for each photograph.")
    warning: str | None = Field(description="Why the comparison proves nothing, if it does not.")


class ModelVersionDetail(BaseModel):
    """All that is known about one version of a model."""

    model: str = Field(description="The model.")
    version: str = Field(description="The version.")
    architecture: str | None = Field(description="The network.")
    engine: str | None = Field(description="What computes it: openvino or torch.")
    precision: str | None = Field(description="f32, bf16 or int8.")
    output: str | None = Field(
        description="What the original gives: logits, probabilities, ids or sigmoid."
    )
    threshold: float | None = Field(
        description="For one output: the share above which the class is present."
    )
    weights: str | None = Field(description="Where the weights come from.")
    weights_sha256: str | None = Field(description="The SHA-256 of the file of the weights.")
    built: datetime | None = Field(description="When the archive was built.")
    libraries: dict[str, str] = Field(description="What built it, with the versions.")
    input: NetworkInput = Field(description="What the network sees of a picture.")
    proof: Proof = Field(description="That the export is the same model.")
    card: Card = Field(description="What its author says.")
