"""Metrics of images, with a bounded set of label values."""

import pytest
from prometheus_client import CollectorRegistry

from gateway.telemetry.image_metrics import ImageMetrics
from tests.unit.gateway.series import values

OF = {"model": "deeplabv3", "version": "1.0"}
LABELS = {0: "background", 15: "person"}


@pytest.fixture
def registry() -> CollectorRegistry:
    """An empty registry."""
    return CollectorRegistry()


@pytest.fixture
def images(registry: CollectorRegistry) -> ImageMetrics:
    """Metrics without samples."""
    return ImageMetrics(registry)


def test_a_stage_is_a_histogram_of_seconds(
    images: ImageMetrics, registry: CollectorRegistry
) -> None:
    """Durations are recorded in seconds by model, version and stage."""
    images.of("deeplabv3", "1.0").stage("read", 0.25)
    images.of("deeplabv3", "1.0").stage("read", 0.5)
    labels = OF | {"stage": "read"}
    assert registry.get_sample_value("segserve_stage_duration_seconds_sum", labels) == 0.75
    assert registry.get_sample_value("segserve_stage_duration_seconds_count", labels) == 2
    bucket = registry.get_sample_value(
        "segserve_stage_duration_seconds_bucket", labels | {"le": "0.25"}
    )
    assert bucket == 1


def test_the_workers_stages_come_from_its_header(
    images: ImageMetrics, registry: CollectorRegistry
) -> None:
    """Milliseconds become seconds; a prefix separates the worker's stages from the gateway's."""
    images.of("deeplabv3", "1.0").worker_timings("decode;dur=3.10, infer;dur=17, encode;dur=0.5")
    seconds = values(registry, "segserve_stage_duration_seconds_sum", "stage")
    assert seconds == pytest.approx(
        {"worker_decode": 0.0031, "worker_infer": 0.017, "worker_encode": 0.0005}
    )


@pytest.mark.parametrize("header", ["", "made_up;dur=1", "infer", "infer;dur=x", "\u00e4, ;;"])
def test_a_header_of_another_kind_leaves_nothing(
    images: ImageMetrics, registry: CollectorRegistry, header: str
) -> None:
    """A header of a foreign archive makes neither series nor exceptions."""
    images.of("deeplabv3", "1.0").worker_timings(header)
    assert values(registry, "segserve_stage_duration_seconds_count", "stage") == {}


def test_pixels_and_images_are_counted_by_the_class_name(
    images: ImageMetrics, registry: CollectorRegistry
) -> None:
    """Pixels and images are counted by class."""
    for pixels in ("0=900,15=100", "0=1000"):
        images.of("deeplabv3", "1.0").classes(pixels, "", LABELS)
    pixels_of = values(registry, "segserve_class_pixels_total", "class")
    assert pixels_of == {"background": 1900, "person": 100}
    assert values(registry, "segserve_class_images_total", "class") == {
        "background": 2,
        "person": 1,
    }


def test_confidence_is_known_by_image_and_by_class(
    images: ImageMetrics, registry: CollectorRegistry
) -> None:
    """Confidences are recorded by image, and by class where the handler sent them."""
    images.of("deeplabv3", "1.0").image("0.9000")
    images.of("deeplabv3", "1.0").classes("15=9", "15=0.5000", LABELS)
    assert registry.get_sample_value("segserve_images_total", OF) == 1
    assert registry.get_sample_value("segserve_confidence_sum", OF) == 0.9
    assert values(registry, "segserve_class_confidence_sum", "class") == {"person": 0.5}


@pytest.mark.parametrize("header", ["", "nan", "-1", "1e-5", "very"])
def test_an_image_without_a_confidence_is_counted_all_the_same(
    images: ImageMetrics, registry: CollectorRegistry, header: str
) -> None:
    """An image of an older archive, without a confidence, is counted."""
    images.of("deeplabv3", "1.0").image(header)
    assert registry.get_sample_value("segserve_images_total", OF) == 1
    assert registry.get_sample_value("segserve_confidence_count", OF) is None


def test_classes_without_a_name_share_one_label(
    images: ImageMetrics, registry: CollectorRegistry
) -> None:
    """The number of label values is bounded by the model's labels."""
    images.of("deeplabv3", "1.0").classes(",".join(f"{n}=1" for n in range(256)), "", LABELS)
    assert values(registry, "segserve_class_pixels_total", "class") == {
        "background": 1,
        "person": 1,
        "other": 254,
    }


def test_versions_have_a_bound_too(images: ImageMetrics, registry: CollectorRegistry) -> None:
    """Versions after the sixty-fourth are counted together."""
    for number in range(100):
        images.of("deeplabv3", f"{number}.0").image("")
        images.of("deeplabv3", f"{number}.0").stage("read", 1)
    counted = values(registry, "segserve_images_total", "version")
    assert len(counted) == 65
    assert counted["other"] == 36
    assert len(values(registry, "segserve_stage_duration_seconds_count", "version")) == 65
