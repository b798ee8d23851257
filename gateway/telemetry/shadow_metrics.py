"""Metrics of the comparison between a shadow and the stable version."""

from functools import partial
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram

Outcome = Literal["compared", "failed", "dropped"]
Labels = tuple[str, str, str]

_PAIR: Final = ("model", "stable", "shadow")
_SECONDS: Final = (-1, -0.3, -0.1, -0.03, -0.01, -0.003, 0, 0.003, 0.01, 0.03, 0.1, 0.3, 1)
# Further pairs of versions share one label.
_MAX_PAIRS: Final = 64
_OTHER: Final = "other"


class ShadowMetrics:
    """Metrics by model, stable version and shadow."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        self._pairs = set[Labels]()
        self._images = counter(
            "segserve_shadow_images", "Images for the shadow, by outcome.", (*_PAIR, "outcome")
        )
        self._pixels = counter("segserve_shadow_pixels", "Pixels that were compared.", _PAIR)
        self._agreeing = counter(
            "segserve_shadow_agreeing_pixels", "Pixels to which both gave the same class.", _PAIR
        )
        self._classes = counter(
            "segserve_shadow_class_pixels",
            "Pixels that both (intersection) or either (union) gave to a class.",
            (*_PAIR, "class", "part"),
        )
        self._difference = Histogram(
            "segserve_shadow_latency_difference_seconds",
            "Seconds that the shadow took longer for an image; below 0 it was faster.",
            _PAIR,
            registry=registry,
            buckets=_SECONDS,
        )

    def ended(self, model: str, stable: str, shadow: str, outcome: Outcome) -> None:
        """Count an image that the shadow was to get."""
        self._images.labels(*self._labels(model, stable, shadow), outcome).inc()

    def compared(
        self, model: str, stable: str, shadow: str, pixels: int, agreeing: int, seconds: float
    ) -> None:
        """Record a comparison. seconds: that the shadow took longer."""
        labels = self._labels(model, stable, shadow)
        self._pixels.labels(*labels).inc(pixels)
        self._agreeing.labels(*labels).inc(agreeing)
        self._difference.labels(*labels).observe(seconds)

    def of_class(
        self, model: str, stable: str, shadow: str, name: str, intersection: int, union: int
    ) -> None:
        """Record a class of a comparison, in pixels."""
        labels = (*self._labels(model, stable, shadow), name)
        self._classes.labels(*labels, "intersection").inc(intersection)
        self._classes.labels(*labels, "union").inc(union)

    def _labels(self, model: str, stable: str, shadow: str) -> Labels:
        labels = (model, stable, shadow)
        if labels not in self._pairs:
            if len(self._pairs) >= _MAX_PAIRS:
                return (model, _OTHER, _OTHER)
            self._pairs.add(labels)
        return labels
