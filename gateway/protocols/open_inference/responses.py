"""Answers of the Open Inference Protocol: tensors in JSON, or in binary behind it."""

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
from gateway.masks.regions import regions
from gateway.protocols.open_inference.requests import LENGTH_BYTES, Inference, Output, OutputName
from gateway.segmentation.prediction import Found
from gateway.segmentation.results import class_confidences

# Four characters a pixel: a mask of more is asked for in binary, or as `png`.
MAX_JSON_PIXELS: Final = 4_000_000
# Every number that fits, with its comma; JSON allows the spaces.
_NUMBERS: Final = np.array([f"{value:>3}," for value in range(256)], dtype="S4")


class OutputTensor(BaseModel):
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


class InferenceResponse(BaseModel):
    """The tensors that were asked for."""

    model_name: str = Field(description="The model that answered.")
    model_version: str = Field(description="The version of it that answered.")
    id: str | None = Field(default=None, description="The request's, if it had one.")
    outputs: list[OutputTensor] = Field(description="In the order in which they were asked for.")


@dataclass(frozen=True)
class Answer:
    """The body of an answer; header_length: of its JSON, None if there is nothing else."""

    body: bytes
    header_length: int | None


@dataclass(frozen=True)
class _Tensor:
    """data: as JSON has it; binary: the same in binary."""

    datatype: str
    shape: Sequence[int]
    data: bytes
    binary: bytes


def answer(found: Found, asked: Inference) -> Answer:
    """The tensors that are asked for, in that order.

    Raises NotAMaskError if the model sent no mask, TooManyPixelsError for a mask that is too large
    for JSON.
    """
    ids = decode_mask(found.prediction.png)
    fields: dict[str, Any] = {
        "model_name": found.target.model,
        "model_version": found.target.version,
        **({} if asked.identity is None else {"id": asked.identity}),
    }
    tensors = [(output, _tensor(output, ids, found)) for output in asked.outputs]
    listed = b",".join(_listed(output, tensor) for output, tensor in tensors)
    header = json.dumps(fields).encode()[:-1] + b', "outputs": [' + listed + b"]}"
    binary = [tensor.binary for output, tensor in tensors if output.binary]
    return Answer(b"".join((header, *binary)), len(header) if binary else None)


def _listed(output: Output, tensor: _Tensor) -> bytes:
    """A tensor in the answer's JSON."""
    fields: dict[str, Any] = {
        "name": output.name,
        "datatype": tensor.datatype,
        "shape": tensor.shape,
    }
    if output.binary:
        fields["parameters"] = {"binary_data_size": len(tensor.binary)}
        return json.dumps(fields).encode()
    return json.dumps(fields).encode()[:-1] + b', "data": [' + tensor.data + b"]}"


def _tensor(output: Output, ids: NDArray[np.uint8], found: Found) -> _Tensor:
    if output.name == "mask":
        return _mask(ids, output.binary)
    if output.name == "png":
        png = found.prediction.png
        return _bytes(png, base64.b64encode(png).decode("ascii"))
    text = json.dumps(_classes(ids, found))
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


def _classes(ids: NDArray[np.uint8], found: Found) -> list[dict[str, Any]]:
    sure = class_confidences(found)
    return [
        {
            "id": region.class_id,
            "name": found.labels.get(region.class_id, str(region.class_id)),
            "pixels": region.pixels,
            "mean_confidence": sure.get(region.class_id, 0.0),
        }
        for region in regions(ids)
    ]
