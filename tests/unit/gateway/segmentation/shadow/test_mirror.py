"""The mirror compares what is free to compare, and never harms a request."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from gateway.admission.cpu_pool import CpuPool
from gateway.admission.slots import Admission
from gateway.admission.upload_budget import Upload, UploadBudget
from gateway.errors import ModelUnavailableError
from gateway.masks.grey_png import encode_grey
from gateway.registry.records import ShadowHour
from gateway.segmentation.options import SegmentationOptions
from gateway.segmentation.shadow.mirror import Answered, Mirror, is_comparable
from gateway.segmentation.shadow.sums import HourlySums, Pair
from gateway.telemetry.shadow_metrics import ShadowMetrics
from gateway.torchserve.inference import PredictRequest, PredictResponse, Target
from tests.unit.gateway.mask_samples import drawn
from tests.unit.gateway.series import values

pytestmark = pytest.mark.anyio

PAIR = Pair("deeplabv3", "1.0", "2.0")
STABLE_MASK = encode_grey(drawn("0011", "0011"))
SHADOW_MASK = encode_grey(drawn("0022", "0002"))
LABELS = {"1.0": {0: "background", 1: "cat"}, "2.0": {0: "background", 1: "dog", 2: "cat"}}
NOW = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)


class Gateway:
    """A mirror with what is around it; the shadow's answer is set by tests."""

    def __init__(self, *, most_in_use: int = 2, rest: float = 0.0) -> None:
        self.admission = Admission(4, 4)
        self.budget = UploadBudget(1_000_000)
        self.registry = CollectorRegistry()
        self.sent: list[tuple[Target, bytes, PredictRequest]] = []
        self.kept: list[ShadowHour] = []
        self.answer: bytes | Exception = SHADOW_MASK
        self.sent_at: list[float] = []
        self.seconds = 0.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.mirror = Mirror(
            self.send,
            self.labels,
            self.admission,
            CpuPool(),
            ShadowMetrics(self.registry),
            HourlySums(lambda: NOW),
            self.keep,
            lambda: most_in_use,
            lambda: 0.5,
            rest,
        )

    async def send(
        self, target: Target, upload: Upload, request: PredictRequest
    ) -> PredictResponse:
        """Answer as the shadow."""
        await self.gate.wait()
        self.sent_at.append(time.perf_counter())
        await asyncio.sleep(self.seconds)
        self.sent.append((target, b"".join(upload.blocks), request))
        if isinstance(self.answer, Exception):
            raise self.answer
        return PredictResponse(self.answer, "", "", "", "")

    def labels(self, model: str, version: str) -> Mapping[int, str]:
        """The labels of both versions."""
        return LABELS[version]

    async def keep(self, rows: Sequence[ShadowHour]) -> None:
        """Keep sums."""
        self.kept += rows

    def offer(self, percent: float = 100, mask: bytes = STABLE_MASK) -> Callable[[], None] | None:
        """Offer an image that the stable version answered, as the pipeline does."""
        with self.budget.upload() as upload:
            upload.fill(b"a photo")
            answered = Answered(PAIR, "r1", '{"render":"labels"}', mask, 0.02)
            return self.mirror.offer(upload, percent, answered)

    def offer_sent(self) -> None:
        """Offer an image whose answer is out."""
        sent = self.offer()
        assert sent is not None
        sent()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the mirror work until nothing is left to do."""
        async with self.mirror.running():
            yield
            await self.until_idle()

    async def until_idle(self) -> None:
        """Wait until the mirror takes an image again."""
        async with asyncio.timeout(60):
            while self.mirror.held:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.005)  # a rest of no seconds is one turn of the event loop

    @property
    def outcomes(self) -> dict[str, float]:
        """Images by their outcome."""
        return values(self.registry, "segserve_shadow_images_total", "outcome")


async def test_an_image_is_compared_after_its_answer() -> None:
    """With the same bytes and options, under names; nothing is held in the end."""
    gateway = Gateway()
    async with gateway.running():
        sent = gateway.offer()
        assert sent is not None
        await asyncio.sleep(0.05)
        assert gateway.sent == []
        assert gateway.budget.held == 7
        sent()
    ((target, image, request),) = gateway.sent
    assert (target, image) == (Target("deeplabv3", "2.0"), b"a photo")
    assert (request.request_id, request.options) == ("r1-shadow", '{"render":"labels"}')
    (row,) = gateway.kept
    assert (row.images, row.pixels, row.agreeing, row.failed) == (1, 8, 7, 0)
    assert row.classes == {0: (4, 5), 1: (3, 4)}
    assert row.stable_ms == pytest.approx(20)
    assert row.shadow_ms > 0
    assert gateway.outcomes == {"compared": 1}
    parts = values(gateway.registry, "segserve_shadow_class_pixels_total", "class")
    assert set(parts) == {"background", "cat"}


@pytest.mark.parametrize(
    ("percent", "is_taken"), [(0, False), (50, False), (51, True), (100, True)]
)
async def test_the_share_decides(percent: float, is_taken: bool) -> None:
    """The dice show 50 %; what is not of the share is not counted as dropped."""
    gateway = Gateway()
    assert (gateway.offer(percent) is not None) == is_taken
    assert gateway.outcomes == {}
    assert gateway.budget.held == (7 if is_taken else 0)


async def test_images_are_dropped_while_slots_are_needed() -> None:
    """Neither taken, nor sent if that changed since."""
    gateway = Gateway(most_in_use=1)
    async with gateway.running():
        sent = gateway.offer()
        assert sent is not None
        async with gateway.admission.slot(), gateway.admission.slot():
            assert not gateway.mirror.is_idle
            assert gateway.offer() is None
            sent()
            await asyncio.sleep(0.02)
            assert gateway.budget.held == 0
    assert gateway.sent == []
    assert gateway.outcomes == {"dropped": 2}


async def test_one_image_is_held() -> None:
    """A slow shadow gets what it can; the rest is dropped, not queued."""
    gateway = Gateway()
    gateway.gate.clear()
    async with gateway.running():
        taken = [gateway.offer() for _ in range(10)]
        assert gateway.mirror.held == 1
        for sent in filter(None, taken):
            sent()
        gateway.gate.set()
        await gateway.until_idle()
    assert len(gateway.sent) == 1
    assert gateway.outcomes == {"compared": 1, "dropped": 9}


async def test_it_rests_after_each_comparison() -> None:
    """Whatever its share is, the shadow takes a bounded part of the time, and holds no image."""
    gateway = Gateway(rest=3.0)
    gateway.seconds = 0.02
    async with gateway.running():
        while len(gateway.sent) < 2:
            sent = gateway.offer()
            if sent is not None:
                sent()
            await asyncio.sleep(0.002)
    first, second = gateway.sent_at
    assert second - first >= 4 * gateway.seconds
    assert gateway.outcomes["dropped"] > 10


@pytest.mark.parametrize(
    "answer",
    [
        ModelUnavailableError("no worker"),
        RuntimeError("a bug"),
        TimeoutError(),
        b"no mask",
        encode_grey(np.zeros((2, 5), np.uint8)),
    ],
    ids=["unavailable", "bug", "timeout", "no mask", "other size"],
)
async def test_a_failing_shadow_is_counted(answer: bytes | Exception) -> None:
    """And the next image is compared all the same."""
    gateway = Gateway()
    gateway.answer = answer
    async with gateway.running():
        gateway.offer_sent()
        await gateway.until_idle()
        gateway.answer = SHADOW_MASK
        gateway.offer_sent()
    assert gateway.outcomes == {"failed": 1, "compared": 1}
    (row,) = gateway.kept
    assert (row.images, row.failed) == (1, 1)
    assert gateway.admission.in_use == 0


async def test_an_answer_is_sent_once() -> None:
    """Whatever the server calls."""
    gateway = Gateway()
    async with gateway.running():
        sent = gateway.offer()
        assert sent is not None
        sent()
        sent()
    assert len(gateway.sent) == 1


async def test_an_answer_that_is_never_sent_holds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its image is dropped after ten seconds, a moment here; a late call does nothing."""
    monkeypatch.setattr("gateway.segmentation.shadow.mirror._SENT_WITHIN_S", 0.02)
    gateway = Gateway()
    async with gateway.running():
        sent = gateway.offer()
        assert sent is not None
        await asyncio.sleep(0.1)
        assert gateway.budget.held == 0
        sent()
    assert gateway.outcomes == {"dropped": 1}


async def test_the_end_drops_what_waits_and_keeps_the_sums() -> None:
    """A gateway that stops does not wait for the shadow."""
    gateway = Gateway()
    async with gateway.running():
        gateway.offer_sent()
    async with gateway.mirror.running():
        gateway.gate.clear()
        gateway.offer_sent()
        await asyncio.sleep(0.02)
    assert (gateway.budget.held, gateway.mirror.held) == (0, 0)
    assert gateway.admission.in_use == 0
    assert sum(row.images for row in gateway.kept) == 1


@pytest.mark.parametrize(
    ("options", "is_whole"),
    [
        (SegmentationOptions(), True),
        (SegmentationOptions(facts=True, classes=("cat",)), True),
        (SegmentationOptions(tile="off"), True),
        (SegmentationOptions(classes=("cat",)), False),
        (SegmentationOptions(render="overlay"), False),
        (SegmentationOptions(render="confidence"), False),
    ],
)
def test_only_whole_masks_are_compared(options: SegmentationOptions, is_whole: bool) -> None:
    """Not a drawing, and not a choice of classes."""
    assert is_comparable(options) == is_whole
