"""How long each stage of an image takes and what its mask shows, for metrics and traces alike."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from gateway.telemetry.metrics import Metrics
from gateway.telemetry.tracing import Tracing
from gateway.torchserve.inference import Prediction, Target

# Whoever sends an answer to the client measures the last one: telemetry.
STAGES: Final = ("read", "queue", "infer", "colour", "write")

# Version -> class id -> name, as far as it is known without asking anybody.
Labels = Callable[[str], Mapping[int, str]]


class Stages:
    """Makes a clock for each image."""

    def __init__(self, metrics: Metrics, tracing: Tracing, labels: Labels) -> None:
        self.metrics = metrics
        self.tracing = tracing
        self.labels = labels

    def clock(self) -> "StageClock":
        """A clock that starts now."""
        return StageClock(self)


class StageClock:
    """The seconds of one image's stages: spans at once, metrics from when it was answered.

    Not before, because only a version that answered is known to exist.
    """

    def __init__(self, stages: Stages) -> None:
        self.started = time.perf_counter()
        self._stages = stages
        self._target: Target | None = None
        self._untold: list[tuple[str, float]] = []

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self.started

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block; within ``infer``, what is asked of TorchServe carries the trace on."""
        started = time.perf_counter()
        with self._stages.tracing.stage(name):
            yield
        self._tell(name, time.perf_counter() - started)

    def took(self, name: str, seconds: float) -> None:
        """A stage that ends now and was timed elsewhere."""
        self._stages.tracing.took(name, seconds)
        self._tell(name, seconds)

    def answered(self, target: Target, prediction: Prediction) -> None:
        """This version answered."""
        self._target = target
        for name, seconds in self._untold:
            self._tell(name, seconds)
        images, of = self._stages.metrics.images, (target.model, target.version)
        images.worker_timings(*of, prediction.timings)
        images.image(*of, prediction.confidence)
        # Empty until the first scrape, for which they are asked.
        if labels := self._stages.labels(target.version):
            images.classes(*of, prediction.class_pixels, prediction.class_confidence, labels)

    def _tell(self, name: str, seconds: float) -> None:
        if self._target is None:
            self._untold.append((name, seconds))
        else:
            of = self._target.model, self._target.version
            self._stages.metrics.images.stage(*of, name, seconds)
