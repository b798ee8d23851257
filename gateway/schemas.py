"""The shapes of the gateway's JSON answers; no field has a default, so none is ever left out."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it, with a stable code and the request's id."""

    type: str = Field(description="Always about:blank: the code tells problems apart.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status, repeated.")
    detail: str = Field(description="What is wrong with this request, and what to do.")
    code: str = Field(description="Stable name of the kind of problem, for programs.")
    request_id: str = Field(description="The id to quote; the same as in X-Request-ID.")


class Health(BaseModel):
    """The gateway process is alive."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """The default version has workers that answer."""

    status: Literal["ready"]
    model: str
    version: str = Field(description="The default version.")
    workers: int = Field(description="Its workers that are ready.")


class ModelVersion(BaseModel):
    """One version of a model as it is being served now."""

    version: str
    default: bool = Field(description="Whether requests without a version go to it.")
    ready: bool = Field(description="Whether at least one worker is ready.")
    workers: int = Field(description="Workers that are ready.")
    loaded_at: datetime | None = Field(description="When its oldest worker started.")


class Model(BaseModel):
    """A model and its versions."""

    name: str
    default_version: str
    versions: list[ModelVersion]


class Models(BaseModel):
    """All models that this gateway serves."""

    models: list[Model]


class Colours(BaseModel):
    """A class's colour in each palette, as #rrggbb."""

    seed: str = Field(pattern="^#[0-9a-f]{6}$", description="The palette of /segmentation.")
    voc: str = Field(pattern="^#[0-9a-f]{6}$", description="The palette of Pascal VOC.")


class Label(BaseModel):
    """One class: a pixel with this index shows a thing of this name."""

    id: int = Field(ge=0, le=255)
    name: str
    colours: Colours


class Labels(BaseModel):
    """The legend of one version of a model."""

    model: str
    version: str
    labels: list[Label]
