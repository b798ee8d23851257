"""Metadata of the server and its models in the Open Inference Protocol."""

from typing import Final

from pydantic import BaseModel, Field

from gateway.models.status import ModelStatus
from gateway.protocols.open_inference.requests import INPUT

# <project>_<format>, as the protocol requires.
PLATFORM: Final = "torchserve_mar"
EXTENSIONS: Final = ["binary_tensor_data", "statistics"]


class OpenInferenceLive(BaseModel):
    """Whether the gateway lives."""

    live: bool = Field(description="Always true.")


class OpenInferenceReady(BaseModel):
    """Whether the default version answers."""

    ready: bool = Field(description="Always true; 503 is answered otherwise.")


class OpenInferenceModelReady(BaseModel):
    """Whether a version answers."""

    name: str = Field(description="The model.")
    ready: bool = Field(description="Always true; 503 is answered otherwise.")


class OpenInferenceServer(BaseModel):
    """What the server is."""

    name: str = Field(description="Always segserve.")
    version: str = Field(description="Version of this API.")
    extensions: list[str] = Field(description="Parts of the protocol beyond its core.")


class OpenInferenceTensor(BaseModel):
    """What a tensor is like."""

    name: str = Field(description="Its name in requests and answers.")
    datatype: str = Field(description="In the protocol's words.")
    shape: list[int] = Field(description="-1 is any size.")


class OpenInferenceModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str = Field(description="The model.")
    versions: list[str] = Field(description="Its versions that are registered.")
    platform: str = Field(description="What runs it.")
    inputs: list[OpenInferenceTensor] = Field(description="What it takes.")
    outputs: list[OpenInferenceTensor] = Field(description="What it gives.")


_INPUTS: Final = [OpenInferenceTensor(name=INPUT, datatype="BYTES", shape=[1])]
_OUTPUTS: Final = [
    OpenInferenceTensor(name="mask", datatype="UINT8", shape=[-1, -1]),
    OpenInferenceTensor(name="png", datatype="BYTES", shape=[1]),
    OpenInferenceTensor(name="classes", datatype="BYTES", shape=[1]),
]


def metadata(model: str, status: ModelStatus) -> OpenInferenceModelMetadata:
    """Return the metadata of a model; all its versions have the same tensors."""
    versions = [known.version for known in status.versions]
    return OpenInferenceModelMetadata(
        name=model, versions=versions, platform=PLATFORM, inputs=_INPUTS, outputs=_OUTPUTS
    )
