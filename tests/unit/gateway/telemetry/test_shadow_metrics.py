"""Metrics of the shadow, with a bounded set of label values."""

from prometheus_client import CollectorRegistry

from gateway.telemetry.shadow_metrics import ShadowMetrics
from tests.unit.gateway.series import values

PAIR = ("deeplabv3", "1.0", "2.0")


def test_images_are_counted_by_their_outcome() -> None:
    """Compared, failed and dropped ones."""
    registry = CollectorRegistry()
    metrics = ShadowMetrics(registry)
    metrics.ended(*PAIR, "compared")
    for _ in range(2):
        metrics.ended(*PAIR, "dropped")
    counted = values(registry, "segserve_shadow_images_total", "outcome")
    assert counted == {"compared": 1, "dropped": 2}


def test_a_comparison_is_recorded() -> None:
    """Pixels, classes, and how much slower the shadow was; it may be faster."""
    registry = CollectorRegistry()
    metrics = ShadowMetrics(registry)
    metrics.compared(*PAIR, 100, 90, -0.25)
    metrics.of_class(*PAIR, "cat", 10, 20)
    for name, expected in (
        ("segserve_shadow_pixels_total", 100),
        ("segserve_shadow_agreeing_pixels_total", 90),
        ("segserve_shadow_latency_difference_seconds_count", 1),
    ):
        assert values(registry, name, "shadow") == {"2.0": expected}
    buckets = values(registry, "segserve_shadow_latency_difference_seconds_bucket", "le")
    assert (buckets["-0.3"], buckets["-0.1"], buckets["0.0"]) == (0, 1, 1)
    parts = values(registry, "segserve_shadow_class_pixels_total", "part")
    assert parts == {"intersection": 10, "union": 20}


def test_pairs_are_bounded() -> None:
    """Versions come and go for months."""
    registry = CollectorRegistry()
    metrics = ShadowMetrics(registry)
    for number in range(70):
        metrics.ended("deeplabv3", "1.0", f"2.{number}", "compared")
    counted = values(registry, "segserve_shadow_images_total", "shadow")
    assert len(counted) == 65
    assert counted["other"] == 6
