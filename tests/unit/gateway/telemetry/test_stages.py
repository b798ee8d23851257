"""The timing of an image's stages."""

import asyncio

import httpx
import pytest
from prometheus_client import CollectorRegistry

from gateway.telemetry.metrics import Metrics
from gateway.telemetry.stages import STAGES, StageClock, Stages
from gateway.telemetry.tracing import Tracing
from gateway.torchserve.inference import PredictResponse
from tests.unit.gateway.doubles import send, settings
from tests.unit.gateway.series import samples, scrape, values

RESPONSE = PredictResponse(b"", "0=9,15=3", "infer;dur=17.0", "0.9000", "15=0.5000")
LABELS = {0: "background", 15: "person"}
SECONDS = "segserve_stage_duration_seconds_sum"


@pytest.fixture
def metrics() -> Metrics:
    """Metrics without samples."""
    return Metrics(settings())


@pytest.fixture
def clock(metrics: Metrics) -> StageClock:
    """A stopwatch of a gateway with cached labels."""
    return Stages(metrics, Tracing(), lambda _: LABELS).clock()


def _stages(registry: CollectorRegistry) -> dict[str, float]:
    return values(registry, SECONDS, "stage")


@pytest.mark.anyio
async def test_a_block_is_timed(clock: StageClock, metrics: Metrics) -> None:
    """A block, and a stage that was timed elsewhere, are recorded in seconds."""
    with clock.stage("read"):
        await asyncio.sleep(0.02)
    clock.record("queue", 3.0)
    clock.answered("deeplabv3", "1.0", RESPONSE)
    seconds = _stages(metrics.registry)
    assert seconds.keys() == {"read", "queue", "worker_infer"}
    assert seconds["read"] >= 0.02
    assert seconds["queue"] == 3.0


def test_nothing_is_recorded_without_a_response(clock: StageClock, metrics: Metrics) -> None:
    """Nothing is recorded for a version that never responds, such as an invented one."""
    clock.record("queue", 1.0)
    assert _stages(metrics.registry) == {}


def test_stages_after_the_response_are_recorded(clock: StageClock, metrics: Metrics) -> None:
    """Stages after the response, such as colouring, are recorded."""
    clock.answered("deeplabv3", "1.0", RESPONSE)
    clock.record("colour", 0.5)
    assert _stages(metrics.registry)["colour"] == 0.5


def test_a_stage_that_fails_is_not_timed(clock: StageClock, metrics: Metrics) -> None:
    """A failed stage is not recorded, because it would look like a fast one."""
    with pytest.raises(KeyError), clock.stage("infer"):
        raise KeyError
    clock.answered("deeplabv3", "1.0", RESPONSE)
    assert "infer" not in _stages(metrics.registry)


def test_what_the_mask_shows_is_counted(clock: StageClock, metrics: Metrics) -> None:
    """Pixels and confidences are counted by class."""
    clock.answered("deeplabv3", "1.0", RESPONSE)
    pixels = values(metrics.registry, "segserve_class_pixels_total", "class")
    assert pixels == {"background": 9, "person": 3}
    assert values(metrics.registry, "segserve_confidence_sum", "version") == {"1.0": 0.9}
    confidences = values(metrics.registry, "segserve_class_confidence_sum", "class")
    assert confidences == {"person": 0.5}


def test_without_labels_no_class_is_counted(metrics: Metrics) -> None:
    """Before the first scrape caches the labels, classes are not counted."""
    clock = Stages(metrics, Tracing(), lambda _: {}).clock()
    clock.answered("deeplabv3", "1.0", RESPONSE)
    assert values(metrics.registry, "segserve_class_pixels_total", "class") == {}
    assert values(metrics.registry, "segserve_images_total", "version") == {"1.0": 1}


@pytest.mark.anyio
async def test_an_image_leaves_all_stages(gateway: httpx.AsyncClient) -> None:
    """An image leaves the stages of gateway and worker, and its classes."""
    await scrape(gateway)
    assert (await send(gateway)).status_code == 200
    families = await scrape(gateway)
    recorded = samples(families, "segserve_stage_duration_seconds_count")
    assert {each["stage"] for each in recorded} == {*STAGES, "worker_infer"}
    assert {(each["model"], each["version"]) for each in recorded} == {("deeplabv3", "1.0")}
    classes = samples(families, "segserve_class_pixels_total")
    assert {each["class"] for each in classes} == {"background", "person"}
