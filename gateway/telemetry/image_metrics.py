"""Metrics of predicted images: stage durations, and class statistics to detect drift."""

import re
import time
from collections.abc import Mapping
from functools import cached_property, partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, Summary

# Exported with the prefix "worker_": gateway and worker both have a stage "infer".
_WORKER_STAGE: Final = re.compile(r"(decode|preprocess|infer|postprocess|encode);dur=(\d+\.?\d*)")
_NUMBER: Final = re.compile(r"\d+\.?\d*")
_BY_CLASS: Final = re.compile(r"(\d{1,3})=(\d+\.?\d*)")
# Versions come and go while the gateway runs; further ones share the label "other".
_MAX_VERSIONS: Final = 64
_STAGE_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
_SHARES: Final = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 1)
_OTHER: Final = "other"
_VERSION: Final = ("model", "version")
_CLASS: Final = (*_VERSION, "class")


class ImageMetrics:
    """Metrics by model and version.

    Recorded only after a version responded, so that no client can invent a label value.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._versions: dict[tuple[str, str], VersionMetrics] = {}
        histogram = partial(Histogram, registry=registry)
        counter = partial(Counter, registry=registry)
        self.stages = histogram(
            "segserve_stage_duration_seconds",
            "Seconds in a stage, of images that were answered.",
            (*_VERSION, "stage"),
            buckets=_STAGE_S,
        )
        self.images = counter("segserve_images", "Images that were answered.", _VERSION)
        self.failures = Summary(
            "segserve_image_failure_seconds",
            "Seconds until a version's images failed, by the code of the problem.",
            (*_VERSION, "code"),
            registry=registry,
        )
        self.confidence = histogram(
            "segserve_confidence", "Mean confidence of an image.", _VERSION, buckets=_SHARES
        )
        self.class_pixels = counter("segserve_class_pixels", "Pixels of a class.", _CLASS)
        self.class_images = counter("segserve_class_images", "Images with a class.", _CLASS)
        self.class_confidence = histogram(
            "segserve_class_confidence",
            "Mean confidence of a class in an image, where it was asked for.",
            _CLASS,
            buckets=_SHARES,
        )

    def of(self, model: str, version: str) -> "VersionMetrics":
        """Return the metrics of a version; beyond a bound, the shared ones."""
        known = self._versions.get((model, version))
        if known is None:
            if len(self._versions) >= _MAX_VERSIONS:
                return VersionMetrics(self, model, _OTHER)
            known = self._versions[model, version] = VersionMetrics(self, model, version)
        return known

    def last_answer(self, model: str, version: str) -> float | None:
        """Return when a version answered last, in seconds since 1970; None if it never did."""
        known = self._versions.get((model, version))
        return known.last_answer if known else None


class VersionMetrics:
    """The metrics of one version; series are looked up once, which is a third of their cost.

    last_answer: in seconds since 1970; None before the first one.
    """

    def __init__(self, metrics: ImageMetrics, model: str, version: str) -> None:
        self._metrics = metrics
        self._labels = model, version
        self._stages: dict[str, Histogram] = {}
        self.last_answer: float | None = None

    def stage(self, stage: str, seconds: float) -> None:
        """Record the duration of one stage of an image."""
        series = self._stages.get(stage)
        if series is None:
            series = self._stages[stage] = self._metrics.stages.labels(*self._labels, stage)
        series.observe(seconds)

    def worker_timings(self, server_timing: str) -> None:
        """Record the worker's stages, from its header Server-Timing in milliseconds."""
        for stage, milliseconds in _WORKER_STAGE.findall(server_timing):
            self.stage(f"worker_{stage}", float(milliseconds) / 1e3)

    def image(self, confidence: str) -> None:
        """Count an image. confidence: the worker's header, "0" to "1", or empty."""
        self._images.inc()
        self.last_answer = time.time()
        if _NUMBER.fullmatch(confidence):
            self._confidence.observe(float(confidence))

    def failed(self, code: str, seconds: float) -> None:
        """Count an image that failed. code: of the problem."""
        self._metrics.failures.labels(*self._labels, code).observe(seconds)

    # Not before the first image: a series that is looked up exists.
    @cached_property
    def _images(self) -> Counter:
        return self._metrics.images.labels(*self._labels)

    @cached_property
    def _confidence(self) -> Histogram:
        return self._metrics.confidence.labels(*self._labels)

    def classes(self, pixels: str, confidences: str, labels: Mapping[int, str]) -> None:
        """Count the classes in a mask.

        pixels, confidences: the worker's headers "id=pixels,..." and "id=confidence,...".
        labels: class id -> name. An id without a name is counted as "other".
        """
        for class_id, count in _BY_CLASS.findall(pixels):
            name = labels.get(int(class_id), _OTHER)
            self._metrics.class_pixels.labels(*self._labels, name).inc(float(count))
            self._metrics.class_images.labels(*self._labels, name).inc()
        for class_id, share in _BY_CLASS.findall(confidences):
            name = labels.get(int(class_id), _OTHER)
            self._metrics.class_confidence.labels(*self._labels, name).observe(float(share))
