"""The stages of an image, timed for metrics and traces alike."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol

from gateway.telemetry.metrics import Metrics
from gateway.telemetry.tracing import Tracing

# The last one, "write", is measured by the middleware.
STAGES: Final = ("read", "queue", "infer", "colour", "write")

# Version -> class id -> name, as far as known without a request to TorchServe.
Labels = Callable[[str], Mapping[int, str]]


class Facts(Protocol):
    """What the handler reports of an image, in the formats of its headers."""

    @property
    def class_pixels(self) -> str: ...

    @property
    def timings(self) -> str: ...

    @property
    def confidence(self) -> str: ...

    @property
    def class_confidence(self) -> str: ...


class Stages:
    """Makes the stopwatch of each image."""

    def __init__(self, metrics: Metrics, tracing: Tracing, labels: Labels) -> None:
        self.metrics = metrics
        self.tracing = tracing
        self.labels = labels

    def clock(self) -> "StageClock":
        """A stopwatch that starts now."""
        return StageClock(self)


class StageClock:
    """Times one image's stages: as spans at once, as metrics once a version has answered.

    Metrics wait, because only a version that answered is known to exist.
    """

    def __init__(self, stages: Stages) -> None:
        self.started = time.perf_counter()
        self._stages = stages
        self._is_traced = stages.tracing.provider is not None
        self._target: tuple[str, str] | None = None
        self._pending: list[tuple[str, float]] = []

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block; within ``infer``, the request to TorchServe continues the trace."""
        started = time.perf_counter()
        if self._is_traced:
            with self._stages.tracing.stage(name):
                yield
        else:
            yield
        self._record(name, time.perf_counter() - started)

    def took(self, name: str, seconds: float) -> None:
        """Record a stage that ends now and was timed elsewhere."""
        if self._is_traced:
            self._stages.tracing.took(name, seconds)
        self._record(name, seconds)

    def answered(self, model: str, version: str, facts: Facts) -> None:
        """Note which version answered, and record what it reports."""
        self._target = target = (model, version)
        for name, seconds in self._pending:
            self._record(name, seconds)
        images = self._stages.metrics.images
        images.worker_timings(*target, facts.timings)
        images.image(*target, facts.confidence)
        # Empty until the first scrape, which fetches them.
        if labels := self._stages.labels(version):
            images.classes(*target, facts.class_pixels, facts.class_confidence, labels)

    def _record(self, name: str, seconds: float) -> None:
        if self._target is None:
            self._pending.append((name, seconds))
        else:
            self._stages.metrics.images.stage(*self._target, name, seconds)
