"""A job, which is an image on its way to a version, and that version's prediction for it."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.admission.upload_budget import Upload
from gateway.errors import DeadlineExceededError, GatewayError, ModelUnavailableError
from gateway.masks.grey_png import NotAMaskError
from gateway.models.headers import model_headers
from gateway.segmentation.options import SegmentationOptions
from gateway.telemetry.stages import StageClock
from gateway.torchserve.inference import PredictResponse, Target
from gateway.traffic.client import Client
from gateway.traffic.trial import Trial

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Job:
    """An image to predict. expires: on the monotonic clock. was_admitted: it had a slot.

    target: the version that computes it, or did last; None while it waits for its first slot.
    sent: when, on the same clock.
    """

    client: Client
    image: Upload
    options: SegmentationOptions
    clock: StageClock
    trial: Trial
    expires: float
    was_admitted: bool = False
    target: Target | None = None
    sent: float = 0.0

    def answered(self, response: PredictResponse) -> None:
        """Note the answer of the version that the gateway chose."""
        if self.target is not None and self.options.version is None:
            self.trial.answered(self.target.version, response.seconds)

    def failed(self, error: GatewayError) -> None:
        """Note the error that the client is told.

        A worker that refuses early, for the tiles that a client chose, has not failed.
        """
        is_early = isinstance(error, DeadlineExceededError) and time.monotonic() < self.expires
        if self.target is not None and self.options.version is None and not is_early:
            self.trial.failed(self.target.version, error)

    def overdue(self, error: DeadlineExceededError, limit_s: float) -> None:
        """Note that the deadline passed: the version's failure if it had most of the time."""
        if self.target is not None:
            model, version = self.target.model, self.target.version
            self.clock.failed(model, version, error.code)
            error.headers.update(model_headers(model, version))
            if self.expires - self.sent > limit_s / 2:
                self.failed(error)


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
