"""Workers count the others that are busy, and none that has ended."""

import multiprocessing
import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deeplab import busy_workers
from deeplab.busy_workers import PAUSE_NS, BusyWorkers
from deeplab.engines import Engine, SharedCoresEngine
from deeplab.spec import Precision

pytestmark = pytest.mark.slow

WAIT_S = 120.0  # against waiting indefinitely; a new process imports PyTorch first


def _work(folder: Path, started: Event, finish: Event) -> None:
    with BusyWorkers(folder, str(os.getpid())).busy():
        started.set()
        finish.wait(WAIT_S)


class _Worker:
    """Another process that is busy until it is asked to stop."""

    def __init__(self, folder: Path):
        context = multiprocessing.get_context("spawn")
        self._started, self._finish = context.Event(), context.Event()
        self.process = context.Process(target=_work, args=(folder, self._started, self._finish))
        self.process.start()
        assert self._started.wait(WAIT_S)

    def end(self, *, kill: bool) -> None:
        """Finish its image, or die while processing it."""
        if kill:
            assert self.process.pid is not None
            os.kill(self.process.pid, signal.SIGKILL)
        else:
            self._finish.set()
        self.process.join(WAIT_S)
        assert self.process.exitcode is not None


@pytest.mark.parametrize("kill", [False, True], ids=["finished", "killed"])
def test_busy_workers_are_counted(tmp_path: Path, kill: bool) -> None:
    """Except the worker itself, and none after its end, however it ended."""
    ours = BusyWorkers(tmp_path / "working", "ours")
    assert ours.count_others() == 0
    with ours.busy():
        assert ours.count_others() == 0
        workers = [_Worker(tmp_path / "working") for _ in range(2)]
        assert ours.count_others() == 2
        for worker in workers:
            worker.end(kill=kill)
        time.sleep(2 * PAUSE_NS / 1e9)
        assert ours.count_others() == 0


def test_a_worker_between_two_images_still_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It will have its next image before ours is done. Two in one process suffice to test that."""
    ours, theirs = (BusyWorkers(tmp_path / "working", name) for name in ("ours", "theirs"))
    assert ours.count_others() == 0
    with theirs.busy():
        assert ours.count_others() == 1
    monkeypatch.setattr(busy_workers, "PAUSE_NS", 10**15)
    assert ours.count_others() == 1
    monkeypatch.setattr(busy_workers, "PAUSE_NS", 0)
    assert ours.count_others() == 0


def test_a_full_disk_fails_no_image(tmp_path: Path) -> None:
    """The time cannot be written; the lock is released all the same."""
    (tmp_path / "ours.lock").symlink_to("/dev/full")
    ours, theirs = (BusyWorkers(tmp_path, name) for name in ("ours", "theirs"))
    with ours.busy():
        assert theirs.count_others() == 1
    assert theirs.count_others() == 0


def test_a_worker_is_busy_until_the_last_image_of_its_batch(tmp_path: Path) -> None:
    """The images of a batch are processed in turns; the busy ones are known by name."""
    ours, theirs = (BusyWorkers(tmp_path / "working", name) for name in ("7", "8"))
    assert ours.busy_others() == []
    with theirs.busy():
        with theirs.busy():
            assert ours.busy_others() == ["8"]
        time.sleep(2 * PAUSE_NS / 1e9)
        assert ours.busy_others() == ["8"]


@pytest.mark.parametrize("age_s", [0, 3600])
def test_a_worker_that_starts_later_is_counted(tmp_path: Path, age_s: int) -> None:
    """Also immediately after the last count, which the folder's mtime may not show."""
    ours = BusyWorkers(tmp_path / "working", "ours")
    then = time.time() - age_s
    os.utime(tmp_path / "working", (then, then))
    assert ours.count_others() == 0
    theirs = BusyWorkers(tmp_path / "working", "theirs")
    with theirs.busy():
        assert ours.count_others() == 1


def test_other_files_are_no_workers(tmp_path: Path) -> None:
    """Only lock files count."""
    ours = BusyWorkers(tmp_path / "working", "ours")
    (tmp_path / "working" / "notes.txt").touch()
    assert ours.count_others() == 0


class _Constant:
    """An engine whose logits have one value, which identifies it."""

    name = "openvino"
    precision: Precision = "bf16"
    largest_batch = 1
    aligned = True

    def __init__(self, value: int):
        self._value = value

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.full((1, 2, 2), self._value, dtype=np.float32)


def test_contention_is_checked_before_each_image() -> None:
    """Under contention the single-threaded engine runs."""
    contended = [False, True, False]
    multi, single = _Constant(2), _Constant(1)
    engine: Engine = SharedCoresEngine(multi, single, lambda: contended.pop(0))
    assert (engine.name, engine.precision) == ("openvino", "bf16")
    pixels = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    assert [int(engine.logits(pixels)[0, 0, 0]) for _ in range(3)] == [2, 1, 2]
