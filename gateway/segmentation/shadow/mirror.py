"""Mirror: sends images to a shadow version after their answers, and compares the masks.

It takes only what is free: images are dropped, not queued, while users' images need the workers.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from gateway.admission.cpu_pool import CpuPool
from gateway.admission.slots import Admission
from gateway.admission.upload_budget import Upload
from gateway.errors import GatewayError
from gateway.masks.agreement import Agreement, DifferentSizesError, agreement, matching_ids
from gateway.masks.grey_png import NotAMaskError, decode_mask
from gateway.segmentation.options import SegmentationOptions
from gateway.segmentation.shadow.sums import HourlySums, Keep, Pair
from gateway.telemetry.shadow_metrics import Outcome, ShadowMetrics
from gateway.torchserve.inference import PredictRequest, PredictResponse, Target

logger = logging.getLogger(__name__)

# Seconds after which a response that is still being sent costs its image the comparison.
_SENT_WITHIN_S: Final = 10.0
_FLUSH_S: Final = 10.0
_DEADLINE_S: Final = 30.0
# Rest after a comparison, in its durations: a twentieth of the time at most is the shadow's. Even
# at the lowest priority it slows users, who share the core's other thread (decision record 0054).
_REST: Final = 19.0
_LONGEST_REST_S: Final = 60.0
_NO_CLASS: Final = "(none)"
# Always in a thread: a user's image may wait for the event loop.
_THREAD_COST: Final = 1 << 30

Send = Callable[[Target, Upload, PredictRequest], Awaitable[PredictResponse]]
# Model and version -> class id -> name, without waiting; empty if they are not known.
Labels = Callable[[str, str], Mapping[int, str]]


@dataclass(frozen=True)
class Answered:
    """An image's answer by the stable version.

    options: the handler's, in JSON. mask: its PNG. seconds: at TorchServe.
    """

    pair: Pair
    request_id: str
    options: str | None
    mask: bytes
    seconds: float


def is_comparable(options: SegmentationOptions) -> bool:
    """Whether the answer to such a request is the whole mask, which can be compared."""
    return not options.form.drawn_by_handler and (options.facts or not options.classes)


class Mirror:
    """The shadow's share of the images. Nothing that it does can fail a request.

    keep: stores sums, called every ten seconds. most_in_use: images of users that may be at
    TorchServe while one goes to the shadow. dice: 0 to 1. rest: after a comparison, in its
    durations.
    """

    def __init__(
        self,
        send: Send,
        labels: Labels,
        admission: Admission,
        pool: CpuPool,
        metrics: ShadowMetrics,
        sums: HourlySums,
        keep: Keep,
        most_in_use: Callable[[], int],
        dice: Callable[[], float] = random.random,
        rest: float = _REST,
    ) -> None:
        self._send = send
        self._labels = labels
        self._admission = admission
        self._pool = pool
        self._metrics = metrics
        self._sums = sums
        self._keep = keep
        self._most_in_use = most_in_use
        self._dice = dice
        self._rest = rest
        self._held = 0
        self._rests = False
        self._queue: asyncio.Queue[_Image] = asyncio.Queue()

    @property
    def is_idle(self) -> bool:
        """Whether users' images leave room for one of the shadow's."""
        return not self._admission.waiting and self._admission.in_use <= self._most_in_use()

    @property
    def held(self) -> int:
        """Images between their answer and the end of their comparison: one at most."""
        return self._held

    def offer(self, image: Upload, percent: float, answered: Answered) -> Callable[[], None] | None:
        """Take an answered image's bytes out of its upload, if it is of the share and all is idle.

        Returns what must be called once the answer was sent; None if the image is not taken.
        """
        if self._dice() * 100 >= percent:
            return None
        if self._held or self._rests or not self.is_idle:
            self._count(answered.pair, "dropped")
            return None
        self._held += 1
        return _Image(self, image.move(), answered).answer_was_sent

    def enqueue(self, image: "_Image") -> None:
        """Compare an image as soon as the event loop is free."""
        self._queue.put_nowait(image)

    def release(self, image: "_Image") -> None:
        """Give the memory of an image back."""
        image.upload.clear()
        self._held -= 1

    def drop(self, image: "_Image") -> None:
        """Give an image up that was not sent."""
        self.release(image)
        self._count(image.answered.pair, "dropped")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Compare images while the block runs; its end keeps what was summed up."""
        tasks = [asyncio.create_task(work()) for work in (self._compare_all, self._flush_all)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            while not self._queue.empty():
                self.drop(self._queue.get_nowait())
            await self._flush()

    async def _compare_all(self) -> None:
        while True:
            image = await self._queue.get()
            if not self.is_idle:
                self.drop(image)
                continue
            began = time.perf_counter()
            try:
                await self._compare(image)
            except (GatewayError, NotAMaskError, DifferentSizesError, TimeoutError) as exc:
                logger.debug("the shadow failed: %s", exc)
                self._failed(image.answered.pair)
            except Exception:  # a bug here must not end the comparisons
                logger.exception("the comparison with the shadow failed")
                self._failed(image.answered.pair)
            finally:
                self.release(image)
            await self._take_rest(time.perf_counter() - began)

    async def _take_rest(self, seconds: float) -> None:
        """Take no image for a multiple of the seconds that the last one took."""
        self._rests = True
        try:
            await asyncio.sleep(min(self._rest * seconds, _LONGEST_REST_S))
        finally:
            self._rests = False

    async def _compare(self, image: "_Image") -> None:
        answered, pair = image.answered, image.answered.pair
        request_id = f"{answered.request_id}-shadow"
        expires = time.monotonic() + _DEADLINE_S
        request = PredictRequest(request_id, answered.options, expires, in_background=True)
        async with asyncio.timeout(_DEADLINE_S), self._admission.slot():
            started = time.perf_counter()
            response = await self._send(Target(pair.model, pair.shadow), image.upload, request)
            seconds = time.perf_counter() - started
        image.upload.clear()
        stable, shadow = (self._labels(pair.model, each) for each in (pair.stable, pair.shadow))
        ids = matching_ids(stable, shadow)

        def compare() -> Agreement:
            return agreement(decode_mask(answered.mask), decode_mask(response.png), ids)

        found = await self._pool.run(_THREAD_COST, compare)
        self._sums.compared(pair, found, answered.seconds, seconds)
        self._report(pair, found, seconds - answered.seconds, stable)

    def _report(
        self, pair: Pair, found: Agreement, longer_s: float, labels: Mapping[int, str]
    ) -> None:
        names = (pair.model, pair.stable, pair.shadow)
        self._metrics.compared(*names, found.pixels, found.agreeing, longer_s)
        self._count(pair, "compared")
        if labels:
            for class_id, (intersection, union) in found.classes.items():
                name = labels.get(class_id, _NO_CLASS)
                self._metrics.of_class(*names, name, intersection, union)

    def _failed(self, pair: Pair) -> None:
        self._sums.failed(pair)
        self._count(pair, "failed")

    def _count(self, pair: Pair, outcome: Outcome) -> None:
        self._metrics.ended(pair.model, pair.stable, pair.shadow, outcome)

    async def _flush_all(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            await self._flush()

    async def _flush(self) -> None:
        try:
            await self._sums.flush(self._keep)
        except GatewayError as exc:
            logger.debug("the shadow's sums are kept later: %s", exc)
        except Exception:  # nor the keeping of their sums
            logger.exception("the shadow's sums could not be kept")


class _Image:
    """An image for the shadow, and its memory until it is compared or dropped."""

    def __init__(self, mirror: Mirror, upload: Upload, answered: Answered) -> None:
        self.upload = upload
        self.answered = answered
        self._mirror = mirror
        self._waiting = asyncio.get_running_loop().call_later(_SENT_WITHIN_S, mirror.drop, self)

    def answer_was_sent(self) -> None:
        """Compare it now."""
        if (
            not self._waiting.cancelled()
            and self._waiting.when() > asyncio.get_running_loop().time()
        ):
            self._waiting.cancel()
            self._mirror.enqueue(self)
