"""What a model answered to an image, and the facts that go with every answer."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import ModelUnavailableError
from gateway.masks.grey_png import NotAMaskError
from gateway.models.headers import model_headers
from gateway.telemetry.stages import StageClock
from gateway.torchserve.inference import Prediction, Target

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A model's answer to an image.

    labels: class id -> name; empty where the wish did not need them.
    seconds: since the request began.
    clock: where the stages that come after it are told.
    """

    target: Target
    prediction: Prediction
    labels: Mapping[int, str]
    seconds: float
    clock: StageClock

    @property
    def timings(self) -> str:
        """All stages as Server-Timing has them: the worker's own, and the total."""
        total = f"total;dur={self.seconds * 1e3:.1f}"
        return f"{self.prediction.timings}, {total}" if self.prediction.timings else total

    @property
    def headers(self) -> dict[str, str]:
        """The facts that go with every answer."""
        return model_headers(self.target.model, self.target.version) | {
            "X-Class-Pixels": self.prediction.class_pixels,
            "X-Confidence": self.prediction.confidence,
            "Server-Timing": self.timings,
        }


@contextmanager
def trusting(found: Found) -> Iterator[None]:
    """Around the reading of a model's answer: one that is no mask is the model's fault."""
    try:
        with found.clock.stage("colour"):
            yield
    except NotAMaskError as exc:
        version = found.target.version
        logger.warning("version %s answered with no mask: %s", version, exc)
        raise ModelUnavailableError(
            f"Version {version} did not answer with a mask. Choose another version.",
            model_headers(found.target.model, found.target.version),
        ) from exc
