"""What is counted of images that were answered: stages, and what the masks show (for drift)."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

# The worker's stages have a prefix: both sides speak of "infer" and mean different clocks.
_WORKER_STAGE: Final = re.compile(r"(decode|preprocess|infer|postprocess|encode);dur=(\d+\.?\d*)")
_NUMBER: Final = re.compile(r"\d+\.?\d*")
_BY_CLASS: Final = re.compile(r"(\d{1,3})=(\d+\.?\d*)")
# Versions come and go while the gateway runs: so many have series of their own.
_MAX_VERSIONS: Final = 64
_STAGE_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
_SHARES: Final = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 1)
_OTHER: Final = "other"
_VERSION: Final = ("model", "version")
_CLASS: Final = (*_VERSION, "class")


class ImageMetrics:
    """By model and version: only such as answered, so that no client can make up a label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._versions: set[tuple[str, str]] = set()
        self._known_stages: dict[tuple[str, str, str], Histogram] = {}
        histogram = partial(Histogram, registry=registry)
        counter = partial(Counter, registry=registry)
        self._stages = histogram(
            "segserve_stage_duration_seconds",
            "Seconds in a stage, of images that were answered.",
            (*_VERSION, "stage"),
            buckets=_STAGE_S,
        )
        self._images = counter("segserve_images", "Images that were answered.", _VERSION)
        self._confidence = histogram(
            "segserve_confidence", "Mean confidence of an image.", _VERSION, buckets=_SHARES
        )
        self._class_pixels = counter("segserve_class_pixels", "Pixels of a class.", _CLASS)
        self._class_images = counter("segserve_class_images", "Images with a class.", _CLASS)
        self._class_confidence = histogram(
            "segserve_class_confidence",
            "Mean confidence of a class in an image, where it was asked for.",
            _CLASS,
            buckets=_SHARES,
        )

    def stage(self, model: str, version: str, stage: str, seconds: float) -> None:
        """One stage of an image that this version answered."""
        key = (*self._bounded(model, version), stage)
        found = self._known_stages.get(key)
        if found is None:
            # Remembered, because it is asked for ten times for each image: a third of the cost.
            found = self._known_stages[key] = self._stages.labels(*key)
        found.observe(seconds)

    def worker_timings(self, model: str, version: str, server_timing: str) -> None:
        """The worker's own stages, from the header in which it sends their milliseconds."""
        for stage, milliseconds in _WORKER_STAGE.findall(server_timing):
            self.stage(model, version, f"worker_{stage}", float(milliseconds) / 1e3)

    def image(self, model: str, version: str, confidence: str) -> None:
        """An image was answered; confidence: the worker's header, "0" to "1", or empty."""
        of = self._bounded(model, version)
        self._images.labels(*of).inc()
        if _NUMBER.fullmatch(confidence):
            self._confidence.labels(*of).observe(float(confidence))

    def classes(
        self,
        model: str,
        version: str,
        pixels: str,
        confidences: str,
        labels: Mapping[int, str],
    ) -> None:
        """What its mask shows: the worker's headers "id=pixels,..." and "id=confidence,...".

        labels: class id -> name. An id without one is counted as another class.
        """
        of = self._bounded(model, version)
        for class_id, count in _BY_CLASS.findall(pixels):
            name = labels.get(int(class_id), _OTHER)
            self._class_pixels.labels(*of, name).inc(float(count))
            self._class_images.labels(*of, name).inc()
        for class_id, share in _BY_CLASS.findall(confidences):
            name = labels.get(int(class_id), _OTHER)
            self._class_confidence.labels(*of, name).observe(float(share))

    def _bounded(self, model: str, version: str) -> tuple[str, str]:
        pair = (model, version)
        if pair in self._versions:
            return pair
        if len(self._versions) >= _MAX_VERSIONS:
            return (model, _OTHER)
        self._versions.add(pair)
        return pair
