"""Timing of an image's stages, for metrics and traces."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

from gateway.telemetry.image_metrics import VersionMetrics
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.tracing import Tracing

# The last one, "write", is measured by the middleware.
STAGES: Final = ("read", "queue", "infer", "colour", "write")

# Version -> class id -> name, as far as cached, without a request to TorchServe.
Labels = Callable[[str], Mapping[int, str]]


class Facts(Protocol):
    """The handler's report on an image, in the formats of its headers."""

    @property
    def class_pixels(self) -> str: ...

    @property
    def timings(self) -> str: ...

    @property
    def confidence(self) -> str: ...

    @property
    def class_confidence(self) -> str: ...


class Stages:
    """Factory for the stopwatch of each image."""

    def __init__(self, metrics: Metrics, tracing: Tracing, labels: Labels) -> None:
        self.metrics = metrics
        self.tracing = tracing
        self.labels = labels

    def clock(self) -> "StageClock":
        """Return a stopwatch, started now."""
        return StageClock(self)


class StageClock:
    """Stopwatch for the stages of one image.

    Spans are recorded at once, metrics only once a version has responded, because only then is it
    known to exist.
    """

    def __init__(self, stages: Stages) -> None:
        self.started = time.perf_counter()
        self._stages = stages
        self._is_traced = stages.tracing.provider is not None
        self._version: VersionMetrics | None = None
        self._pending: list[tuple[str, float]] = []

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Time the block as a stage; ``infer`` continues the trace in TorchServe's worker."""
        timed = _Timed(self, name)
        return self._traced(name, timed) if self._is_traced else timed

    @contextmanager
    def _traced(self, name: str, timed: "_Timed") -> Iterator[None]:
        with timed, self._stages.tracing.stage(name):
            yield

    def record(self, name: str, seconds: float) -> None:
        """Record a stage that was timed elsewhere and ends now."""
        if self._is_traced:
            self._stages.tracing.record(name, seconds)
        self.observe(name, seconds)

    def answered(self, model: str, version: str, facts: Facts) -> None:
        """Note which version responded, and record its report."""
        self._version = metrics = self._stages.metrics.images.of(model, version)
        for name, seconds in self._pending:
            metrics.stage(name, seconds)
        metrics.worker_timings(facts.timings)
        metrics.image(facts.confidence)
        # Empty until the first scrape fetches the labels.
        if labels := self._stages.labels(version):
            metrics.classes(facts.class_pixels, facts.class_confidence, labels)

    def failed(self, model: str, version: str, code: str) -> None:
        """Count the image as failed. code: of the problem."""
        self._stages.metrics.images.of(model, version).failed(code, self.seconds)

    def observe(self, name: str, seconds: float) -> None:
        """Count a stage's seconds, now or once a version has responded."""
        if self._version is None:
            self._pending.append((name, seconds))
        else:
            self._version.stage(name, seconds)


class _Timed:
    """Context manager that times a block without an error; costs half of a generator."""

    def __init__(self, clock: StageClock, name: str) -> None:
        self._clock = clock
        self._name = name

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._clock.observe(self._name, time.perf_counter() - self._started)
