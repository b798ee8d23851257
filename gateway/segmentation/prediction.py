"""A model version's prediction for one image."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import ModelUnavailableError
from gateway.masks.grey_png import NotAMaskError
from gateway.models.headers import model_headers
from gateway.telemetry.stages import StageClock
from gateway.torchserve.inference import PredictResponse, Target

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """The handler's response to an image, with its target, labels and time.

    labels: class id -> name; empty where the options did not need them.
    seconds: from the start of the request to the handler's response.
    """

    target: Target
    response: PredictResponse
    labels: Mapping[int, str]
    seconds: float

    @property
    def timings(self) -> str:
        """The worker's stages and the total, in the format of Server-Timing."""
        total = f"total;dur={self.seconds * 1e3:.1f}"
        return f"{self.response.timings}, {total}" if self.response.timings else total

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every response that carries a result."""
        return model_headers(self.target.model, self.target.version) | {
            "X-Class-Pixels": self.response.class_pixels,
            "X-Confidence": self.response.confidence,
            "Server-Timing": self.timings,
        }


@contextmanager
def decoding_mask(prediction: Prediction, clock: StageClock) -> Iterator[None]:
    """Time the block as stage ``colour``; turn a malformed mask into 503 `model_unavailable`."""
    try:
        with clock.stage("colour"):
            yield
    except NotAMaskError as exc:
        model, version = prediction.target.model, prediction.target.version
        logger.warning("version %s answered with no mask: %s", version, exc)
        raise ModelUnavailableError(
            f"Version {version} did not answer with a mask. Choose another version.",
            model_headers(model, version),
        ) from exc
