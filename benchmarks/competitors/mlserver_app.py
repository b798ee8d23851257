"""MLServer: a custom runtime of the Open Inference Protocol, images as base64 in JSON."""

from mlserver import MLModel
from mlserver.codecs import Base64Codec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.competitors.segmenters import segmenter


class Segmentation(MLModel):
    """One model; MLServer's own workers run it side by side."""

    async def load(self) -> bool:
        self._segment = segmenter()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """A photograph in, a mask out."""
        (data,) = Base64Codec.decode_input(payload.inputs[0])
        mask = Base64Codec.encode_output("mask", [self._segment(data)])
        return InferenceResponse(model_name=self.name, outputs=[mask])
