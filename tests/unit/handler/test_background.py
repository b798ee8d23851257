"""Images that no client waits for leave the processor to those of users."""

import os
from pathlib import Path

import pytest

from deeplab.background import BackgroundThread, is_background
from segmentation_handler import SegmentationHandler
from tests.unit.handler.files import EXAMPLES, encode, quarters
from tests.unit.handler.worker import handle, statuses

BACKGROUND = {"X-Segserve-Background": "1"}
CAT = (EXAMPLES / "cat.jpg").read_bytes()


def _threads() -> dict[int, tuple[int, int]]:
    """Nice value and ticks of processor time of each thread of this process."""
    found = {}
    for path in Path("/proc/self/task").iterdir():
        fields = (path / "stat").read_text().rpartition(")")[2].split()
        found[int(path.name)] = int(fields[16]), int(fields[11]) + int(fields[12])
    return found


@pytest.mark.slow
def test_the_mask_is_the_same_and_the_priority_the_lowest(handler: SegmentationHandler) -> None:
    """All of its processor time is that of one thread; the worker keeps its own priority."""
    (expected,), _ = handle(handler, [{"body": CAT}])
    (body,), context = handle(handler, [{"body": CAT}], BACKGROUND)
    before = _threads()
    for _ in range(20):
        handle(handler, [{"body": CAT}], BACKGROUND)
    spent = {
        thread: (nice, ticks - before[thread][1]) for thread, (nice, ticks) in _threads().items()
    }
    assert statuses(context, 1) == [200]
    assert body == expected
    low = sum(ticks for nice, ticks in spent.values() if nice == 19)
    assert low > 10
    assert low > 0.9 * sum(ticks for _, ticks in spent.values())
    assert os.getpriority(os.PRIO_PROCESS, os.getpid()) == 0


def test_a_batch_with_a_waiting_client_is_not_in_the_background() -> None:
    """One client that waits is enough."""
    flagged = {"x-segserve-background": "1"}
    assert is_background([flagged, flagged])
    assert not is_background([flagged, {}])
    assert not is_background([{"x-segserve-background": "0"}])


def test_errors_are_those_of_an_image(handler: SegmentationHandler) -> None:
    """A bad image in the background gets the same error."""
    bodies = [{"body": b"no picture"}, {"body": encode(quarters(), "PNG")}]
    _, context = handle(handler, bodies, BACKGROUND, BACKGROUND)
    assert statuses(context, 2) == [422, 200]


def test_what_is_raised_reaches_the_caller() -> None:
    """A worker whose device is lost ends."""

    def work() -> None:
        raise SystemExit("lost")

    with pytest.raises(SystemExit, match="lost"):
        BackgroundThread(lambda: None).run(work)
