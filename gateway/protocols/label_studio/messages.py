"""Label Studio's tasks and predictions: an image in, and a brush region for each class out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from pydantic_core import to_json

from gateway.errors import GatewayError, InvalidRequestError, UnreadableImageError
from gateway.http.json_body import decode_base64, parse
from gateway.masks.grey_png import decode_mask
from gateway.protocols.label_studio.addresses import Origin, path_of
from gateway.protocols.label_studio.brush import brush_rle
from gateway.protocols.label_studio.label_config import LabelConfig, read_label_config
from gateway.segmentation.options import casefolded
from gateway.segmentation.prediction import Prediction
from gateway.segmentation.results import ClassRow, classes_of
from gateway.torchserve.inference import Target

# Label Studio sends all selected tasks in one request, and waits 100 seconds for the response.
MAX_TASKS: Final = 1000
_HINTS: Final = {
    True: "Nothing is fetched from other addresses: SEGSERVE_GATEWAY_LABEL_STUDIO_URL is not set.",
    False: "Nothing is fetched from other addresses than those of the Label Studio server.",
}
# The scheme, a media type with parameters, and the marker of base64.
_DATA_URI: Final = re.compile(r"data:[^,]{0,256};base64,", re.IGNORECASE)


class LabelStudioTask(BaseModel):
    """One task of a project; only its data matters."""

    data: dict[str, Any] = Field(description="The field that the configuration names is the image.")


class LabelStudioTasks(BaseModel):
    """Tasks to predict, and how their project labels."""

    tasks: list[LabelStudioTask] = Field(
        max_length=MAX_TASKS,
        description="Tasks whose images are data URIs, or files of the configured Label Studio.",
    )
    label_config: str = Field(description="The project's labelling configuration, in XML.")


class LabelStudioProject(BaseModel):
    """A project that asks for a back end; only its labelling configuration matters."""

    # Named "schema" by Label Studio.
    label_config: Annotated[str | None, Field(alias="schema")] = Field(
        default=None,
        description="The labelling configuration in XML, if the project has one by now.",
    )


class LabelStudioHealth(BaseModel):
    """The back end lives."""

    status: Literal["UP"] = Field(description="Always UP.")
    model_class: str = Field(description="The model that is served.")


class LabelStudioSetup(BaseModel):
    """The version that will answer."""

    model_version: str = Field(description="The model, a colon, and the version.")


class LabelStudioStroke(BaseModel):
    """What Label Studio calls the value of a region."""

    format: Literal["rle"] = Field(description="Always rle: run lengths.")
    rle: list[int] = Field(description="Label Studio's run lengths, bytes of an RGBA picture.")
    brushlabels: list[str] = Field(description="The label of the configuration.")


class LabelStudioRegion(BaseModel):
    """One class in one image."""

    id: str = Field(description="`class-` and the id of the class.")
    from_name: str = Field(description="Name of the BrushLabels.")
    to_name: str = Field(description="Name of the Image.")
    type: Literal["brushlabels"] = Field(description="Always brushlabels.")
    original_width: int = Field(description="Of the upright image, in pixels.")
    original_height: int = Field(description="Of the upright image, in pixels.")
    image_rotation: int = Field(description="Always 0.")
    value: LabelStudioStroke = Field(description="Where the class is.")
    score: float = Field(description="Mean confidence over the class's pixels, 0 to 1.")


class LabelStudioPrediction(BaseModel):
    """The answer to one task."""

    result: list[LabelStudioRegion] = Field(description="A region for each class that has a label.")
    score: float | None = Field(description="Mean confidence over the image; null after an error.")
    model_version: str = Field(description="The version that answered.")
    error: str | None = Field(description="Why the task's image has no result.")


class LabelStudioPredictions(BaseModel):
    """The answers, one for each task and in their order."""

    results: list[LabelStudioPrediction] = Field(description="An answer for each task.")
    model_version: str = Field(description="The version that answered.")


@dataclass(frozen=True)
class ImagePath:
    """The path of an image on the Label Studio server."""

    path: str


TaskImage = bytes | ImagePath | GatewayError


@dataclass(frozen=True)
class Tasks:
    """The tasks of a request: for each, its image, the image's path, or the image's error."""

    config: LabelConfig
    images: list[TaskImage]


def read_tasks(body: bytes, max_image_bytes: int, origin: Origin | None = None) -> Tasks:
    """Parse a request; raises InvalidRequestError for errors that do not belong to one task.

    origin: the Label Studio server whose files may be fetched; None if there is none.
    """
    message = parse(body, LabelStudioTasks)
    config = read_label_config(message.label_config)
    values = (task.data.get(config.field) for task in message.tasks)
    return Tasks(
        config, [_image_of(each, config.field, max_image_bytes, origin) for each in values]
    )


def check_project(body: bytes) -> None:
    """Raise InvalidRequestError if a project's labelling configuration cannot be served."""
    config = parse(body, LabelStudioProject).label_config
    if config:
        read_label_config(config)


def _image_of(value: object, field: str, max_bytes: int, origin: Origin | None) -> TaskImage:
    try:
        if isinstance(value, str) and (start := _DATA_URI.match(value)):
            return _decoded(value[start.end() :], field, max_bytes)
        if isinstance(value, str) and origin and not value.lower().startswith("data:"):
            return ImagePath(path_of(value, origin))
    except GatewayError as exc:
        return exc
    return InvalidRequestError(
        f"The task's data has no image at {field[:64]!r} that is a data URI "
        f"(data:image/jpeg;base64,...). {_HINTS[origin is None]}"
    )


def _decoded(text: str, field: str, max_bytes: int) -> bytes:
    image = decode_base64(text, f"The image at {field[:64]!r}", max_bytes)
    if not image:
        raise UnreadableImageError("The image is empty. Send an image.")
    return image


def version_name(target: Target) -> str:
    """Return the name that Label Studio shows and stores for a version."""
    return f"{target.model}:{target.version}"


def to_label_studio(prediction: Prediction, config: LabelConfig) -> LabelStudioPrediction:
    """Return a prediction with a region for each class present that has a label.

    Raises NotAMaskError if the response is not a mask.
    """
    ids = decode_mask(prediction.response.png)
    labelled = [row for row in classes_of(prediction, ids) if casefolded(row.name) in config.labels]
    return LabelStudioPrediction(
        result=[_region(row, ids, config) for row in labelled],
        score=float(prediction.response.confidence or 0),
        model_version=version_name(prediction.target),
        error=None,
    )


def _region(row: ClassRow, ids: NDArray[np.uint8], config: LabelConfig) -> LabelStudioRegion:
    height, width = ids.shape
    label = config.labels[casefolded(row.name)]
    rle = brush_rle(ids == row.class_id)
    return LabelStudioRegion(
        id=f"class-{row.class_id}",
        from_name=config.control,
        to_name=config.image,
        type="brushlabels",
        original_width=width,
        original_height=height,
        image_rotation=0,
        value=LabelStudioStroke(format="rle", rle=rle, brushlabels=[label]),
        score=row.confidence,
    )


def failed_prediction(error: GatewayError, version: str) -> LabelStudioPrediction:
    """Return the prediction for a task whose image could not be segmented."""
    return LabelStudioPrediction(result=[], score=None, model_version=version, error=error.detail)


def document(results: Iterable[bytes], version: str) -> bytes:
    """Return `LabelStudioPredictions` in JSON, from predictions in JSON."""
    return b'{"results":[%b],"model_version":%b}' % (b",".join(results), to_json(version))
