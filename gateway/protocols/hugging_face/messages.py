"""Requests and responses of Hugging Face's image segmentation."""

import base64
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.json_schema import SkipJsonSchema

from gateway.errors import InvalidRequestError
from gateway.http.json_body import BASE64, decode_base64, narrowed, parse
from gateway.masks.grey_png import decode_mask, encode_binary
from gateway.segmentation.prediction import Prediction
from gateway.segmentation.results import classes_of

Share = Annotated[float, Field(ge=0, le=1)]
# Parsed to be refused with an explanation. Not in the document: a property that can only be null
# ends openapi-generator or breaks the code that it writes.
_Refused = SkipJsonSchema[float | None]


class HuggingFaceParameters(BaseModel):
    """What a client may ask for beside the image; thresholds of pixels and overlaps are refused."""

    threshold: Share | None = Field(
        default=None, description="Classes with a lower mean confidence are left out."
    )
    mask_threshold: _Refused = None
    overlap_mask_area_threshold: _Refused = None
    subtask: Literal["instance", "panoptic", "semantic"] | None = Field(
        default=None,
        description="The one that is offered.",
        json_schema_extra=narrowed(
            anyOf=[{"type": "string", "enum": ["semantic"]}, {"type": "null"}]
        ),
    )


class HuggingFaceInputs(BaseModel):
    """An image in JSON, as a Hugging Face client sends it with parameters."""

    inputs: str = Field(description="The image in base64.", json_schema_extra=BASE64)
    parameters: HuggingFaceParameters | None = Field(
        default=None, description="What else is wanted."
    )


@dataclass(frozen=True)
class Inputs:
    """An image, and the least score of the classes in the response, 0..1."""

    image: bytes
    threshold: float


class HuggingFaceSegment(BaseModel):
    """One class that occurs in the image."""

    model_config = ConfigDict(frozen=True)

    label: str = Field(description="The class's name.")
    score: float = Field(ge=0, le=1, description="Mean confidence over the class's pixels.")
    mask: str = Field(description="PNG of the image's size in base64: 255 at the class's pixels.")


_SEGMENTS = TypeAdapter(list[HuggingFaceSegment])


def read_inputs(body: bytes, max_image_bytes: int) -> Inputs:
    """Return the image and the threshold in a JSON body.

    Raises InvalidRequestError, also for parameters that are not supported, and ImageTooLargeError.
    """
    message = parse(body, HuggingFaceInputs)
    parameters = message.parameters or HuggingFaceParameters()
    _refuse_unsupported(parameters)
    image = decode_base64(message.inputs, "`inputs`", max_image_bytes)
    return Inputs(image, parameters.threshold or 0.0)


def _refuse_unsupported(parameters: HuggingFaceParameters) -> None:
    if parameters.subtask not in (None, "semantic"):
        raise InvalidRequestError(
            f"The subtask {parameters.subtask!r} is not offered: the model tells classes apart, "
            "not objects. Leave it out, or send 'semantic'."
        )
    for name in ("mask_threshold", "overlap_mask_area_threshold"):
        if getattr(parameters, name) is not None:
            raise InvalidRequestError(
                f"`{name}` means nothing here: each pixel belongs to one class. Leave it out."
            )


def segments(prediction: Prediction, threshold: float) -> bytes:
    """Encode the classes present as JSON, ascending by id, background included.

    threshold: least mean confidence, 0..1. Raises NotAMaskError if the response is not a mask.
    """
    ids = decode_mask(prediction.response.png)
    kept = [
        HuggingFaceSegment(
            label=row.name,
            score=row.confidence,
            mask=base64.b64encode(encode_binary(ids == row.class_id)).decode("ascii"),
        )
        for row in classes_of(prediction, ids)
        if row.confidence >= threshold
    ]
    return _SEGMENTS.dump_json(kept)
