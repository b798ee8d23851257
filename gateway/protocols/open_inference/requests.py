"""Requests of the Open Inference Protocol, version 2."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from gateway.errors import InvalidRequestError
from gateway.http.json_body import BASE64, decode_base64, narrowed, parse
from gateway.http.uploads import too_large

# The header with the length of the JSON, after which binary tensors begin.
HEADER_LENGTH: Final = "Inference-Header-Content-Length"
INPUT: Final = "image"
OutputName = Literal["mask", "png", "classes"]
OUTPUTS: Final[tuple[OutputName, ...]] = ("mask", "png", "classes")

# Each element of a binary BYTES tensor is preceded by its length, little-endian.
LENGTH_BYTES: Final = 4

# Left out of the OpenAPI document, where a property that can only be null ends openapi-generator or
# breaks the code that it writes: parsed to be refused, or only for bodies with binary tensors.
_Whole = SkipJsonSchema[int | None]
_Text = SkipJsonSchema[str | None]


class OpenInferenceInputParameters(BaseModel):
    """Where the image is, if not in the JSON: with `binary_data_size`, behind it."""

    binary_data_size: _Whole = None
    shared_memory_region: _Text = None


class OpenInferenceInput(BaseModel):
    """The tensor that the model takes: one image file."""

    # The OpenAPI schema describes a body without binary tensors.
    model_config = ConfigDict(json_schema_extra={"required": ["name", "datatype", "shape", "data"]})

    name: str = Field(description="Its name.", json_schema_extra={"enum": [INPUT]})
    datatype: str = Field(description="A file's bytes.", json_schema_extra={"enum": ["BYTES"]})
    shape: list[int] = Field(
        max_length=8,
        description="One file: [1].",
        json_schema_extra=narrowed(
            type="array",
            items={"type": "integer", "minimum": 1, "maximum": 1},
            minItems=1,
            maxItems=1,
        ),
    )
    parameters: OpenInferenceInputParameters = Field(
        default=OpenInferenceInputParameters(),
        description="How it is sent, for clients that send it in binary.",
    )
    data: list[str] | None = Field(
        default=None,
        max_length=1,
        description="The file in base64.",
        json_schema_extra=narrowed(type="array", items=BASE64, minItems=1, maxItems=1),
    )


class OpenInferenceOutputParameters(BaseModel):
    """How a tensor is wanted."""

    binary_data: bool | None = Field(default=None, description="In binary, behind the JSON.")
    classification: _Whole = None
    shared_memory_region: _Text = None


class OpenInferenceOutput(BaseModel):
    """A tensor that is asked for."""

    name: str = Field(
        description="`mask`, the class of each pixel; `png`, the same as a grey PNG; `classes`, a "
        "list in JSON.",
        json_schema_extra={"enum": list(OUTPUTS)},
    )
    parameters: OpenInferenceOutputParameters = Field(
        default=OpenInferenceOutputParameters(), description="How it is wanted."
    )


class OpenInferenceParameters(BaseModel):
    """How all tensors are wanted that say nothing themselves."""

    binary_data_output: bool = Field(default=False, description="In binary, behind the JSON.")


class OpenInferenceRequest(BaseModel):
    """An image, and the tensors that are asked for."""

    id: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None, description="The client's own id, which comes back."
    )
    parameters: OpenInferenceParameters = Field(
        default=OpenInferenceParameters(), description="Of the whole request."
    )
    inputs: list[OpenInferenceInput] = Field(max_length=1, min_length=1, description="The image.")
    outputs: list[OpenInferenceOutput] = Field(
        default=[], max_length=len(OUTPUTS), description="The tensors to answer; all if empty."
    )


@dataclass(frozen=True)
class RequestedOutput:
    """A requested output tensor. binary: in binary behind the JSON instead of in the JSON."""

    name: OutputName
    binary: bool


@dataclass(frozen=True)
class InferenceRequest:
    """A parsed request: its image, the requested outputs, and the client's own id."""

    image: bytes
    outputs: tuple[RequestedOutput, ...]
    identity: str | None


def read_request(body: bytes, header_length: str | None, max_image_bytes: int) -> InferenceRequest:
    """Parse a request.

    header_length: the header Inference-Header-Content-Length, bytes of the JSON before binary
    tensors; None if the whole body is JSON. Raises InvalidRequestError and ImageTooLargeError.
    """
    length = len(body) if header_length is None else _length(header_length, len(body))
    request = parse(body[:length], OpenInferenceRequest)
    image = _image(request.inputs[0], memoryview(body)[length:], max_image_bytes)
    return InferenceRequest(image, _outputs(request), request.id)


def _length(header: str, size: int) -> int:
    length = int(header) if header.isdecimal() and len(header) < 20 else size + 1
    if length > size:
        raise InvalidRequestError(
            f"{HEADER_LENGTH} is not the length of the JSON that the body begins with."
        )
    return length


def _image(tensor: OpenInferenceInput, binary: memoryview, max_bytes: int) -> bytes:
    if (tensor.name, tensor.datatype, tensor.shape) != (INPUT, "BYTES", [1]):
        raise InvalidRequestError(
            f"The input is {INPUT!r} of datatype BYTES and shape [1]: one image file."
        )
    if tensor.parameters.shared_memory_region is not None:
        raise InvalidRequestError("Shared memory is not offered. Send the image in the request.")
    if tensor.parameters.binary_data_size is not None:
        return _element(binary, tensor.parameters.binary_data_size, max_bytes)
    if not tensor.data:
        raise InvalidRequestError(
            "The input has neither `data`, the image in base64, nor `binary_data_size`."
        )
    return decode_base64(tensor.data[0], "The input's `data`", max_bytes)


def _element(binary: memoryview, size: int, max_bytes: int) -> bytes:
    """Return the only element of a binary BYTES tensor."""
    length = int.from_bytes(binary[:LENGTH_BYTES], "little")
    if size != len(binary) or size != LENGTH_BYTES + length:
        raise InvalidRequestError(
            f"`binary_data_size` is {size}, {len(binary)} bytes follow the JSON, and they say that "
            f"the image has {length}. Send 4 bytes of length and the image."
        )
    if length > max_bytes:
        raise too_large(max_bytes)
    return bytes(binary[LENGTH_BYTES:])


def _outputs(request: OpenInferenceRequest) -> tuple[RequestedOutput, ...]:
    default_binary = request.parameters.binary_data_output
    if not request.outputs:
        return tuple(RequestedOutput(name, default_binary) for name in OUTPUTS)
    return tuple(_output(each, default_binary) for each in request.outputs)


def _output(output: OpenInferenceOutput, default_binary: bool) -> RequestedOutput:
    name = next((name for name in OUTPUTS if name == output.name), None)
    if name is None:
        raise InvalidRequestError(
            f"There is no output {output.name[:64]!r}. There are: {', '.join(OUTPUTS)}."
        )
    if output.parameters.classification or output.parameters.shared_memory_region is not None:
        raise InvalidRequestError("Neither classification nor shared memory is offered.")
    binary = output.parameters.binary_data
    return RequestedOutput(name, default_binary if binary is None else binary)
