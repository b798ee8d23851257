"""Responses of the Open Inference Protocol: tensors in JSON, or in binary behind it."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from gateway.errors import TooManyPixelsError
from gateway.masks.grey_png import decode_mask
from gateway.protocols.open_inference.requests import (
    LENGTH_BYTES,
    InferenceRequest,
    OutputName,
    RequestedOutput,
)
from gateway.segmentation.prediction import Prediction
from gateway.segmentation.results import classes_of

# Four characters per pixel; larger masks are available in binary or as `png`.
MAX_JSON_PIXELS: Final = 4_000_000
# The JSON of every class id with its comma, padded with spaces to one width.
_NUMBERS: Final = np.array([f"{value:>3}," for value in range(256)], dtype="S4")


class OpenInferenceOutputTensor(BaseModel):
    """A tensor of an answer."""

    name: OutputName = Field(description="Its name.")
    datatype: Literal["UINT8", "BYTES"] = Field(description="UINT8 of `mask`, BYTES of the others.")
    shape: list[int] = Field(description="[height, width] of `mask`, [1] of the others.")
    parameters: dict[str, int] | None = Field(
        default=None,
        description="`binary_data_size`: bytes of the tensor, if it is behind the JSON.",
    )
    data: list[int | str] | None = Field(
        default=None,
        description="The elements row by row, if they are in the JSON; `png` in base64.",
    )


class OpenInferenceResponse(BaseModel):
    """The tensors that were asked for."""

    model_name: str = Field(description="The model that answered.")
    model_version: str = Field(description="The version of it that answered.")
    id: str | None = Field(default=None, description="The request's, if it had one.")
    outputs: list[OpenInferenceOutputTensor] = Field(
        description="In the order in which they were asked for."
    )


@dataclass(frozen=True)
class EncodedResponse:
    """A response body. header_length: bytes of its JSON; None if the whole body is JSON."""

    body: bytes
    header_length: int | None


@dataclass(frozen=True)
class _Tensor:
    """A tensor. data: its elements in JSON; binary: the same in binary."""

    datatype: str
    shape: Sequence[int]
    data: bytes
    binary: bytes


def encode_response(prediction: Prediction, request: InferenceRequest) -> EncodedResponse:
    """Encode the requested tensors, in the order of the request.

    Raises NotAMaskError if the response is not a mask, TooManyPixelsError for a mask that is too
    large for JSON.
    """
    ids = decode_mask(prediction.response.png)
    fields: dict[str, Any] = {
        "model_name": prediction.target.model,
        "model_version": prediction.target.version,
        **({} if request.identity is None else {"id": request.identity}),
    }
    tensors = [(output, _tensor(output, ids, prediction)) for output in request.outputs]
    entries = b",".join(_encode_entry(output, tensor) for output, tensor in tensors)
    header = json.dumps(fields).encode()[:-1] + b', "outputs": [' + entries + b"]}"
    binary = [tensor.binary for output, tensor in tensors if output.binary]
    return EncodedResponse(b"".join((header, *binary)), len(header) if binary else None)


def _encode_entry(output: RequestedOutput, tensor: _Tensor) -> bytes:
    """Return a tensor's entry in the JSON of the response."""
    fields: dict[str, Any] = {
        "name": output.name,
        "datatype": tensor.datatype,
        "shape": tensor.shape,
    }
    if output.binary:
        fields["parameters"] = {"binary_data_size": len(tensor.binary)}
        return json.dumps(fields).encode()
    return json.dumps(fields).encode()[:-1] + b', "data": [' + tensor.data + b"]}"


def _tensor(output: RequestedOutput, ids: NDArray[np.uint8], prediction: Prediction) -> _Tensor:
    if output.name == "mask":
        return _mask(ids, output.binary)
    if output.name == "png":
        png = prediction.response.png
        return _bytes(png, base64.b64encode(png).decode("ascii"))
    text = json.dumps(_classes(ids, prediction))
    return _bytes(text.encode(), text)


def _mask(ids: NDArray[np.uint8], binary: bool) -> _Tensor:
    if binary:
        return _Tensor("UINT8", ids.shape, b"", ids.tobytes())
    if ids.size > MAX_JSON_PIXELS:
        raise TooManyPixelsError(
            f"A mask of {ids.size} pixels is too large for JSON; the limit is {MAX_JSON_PIXELS}. "
            "Ask for the output `png`, or for `mask` with `binary_data`."
        )
    return _Tensor("UINT8", ids.shape, _NUMBERS[ids].tobytes()[:-1], b"")


def _bytes(content: bytes, text: str) -> _Tensor:
    length = len(content).to_bytes(LENGTH_BYTES, "little")
    return _Tensor("BYTES", (1,), json.dumps(text).encode(), length + content)


def _classes(ids: NDArray[np.uint8], prediction: Prediction) -> list[dict[str, Any]]:
    return [
        {
            "id": row.class_id,
            "name": row.name,
            "pixels": row.region.pixels,
            "mean_confidence": row.confidence,
        }
        for row in classes_of(prediction, ids)
    ]
