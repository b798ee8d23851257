"""A block that uses too much processor time is ended; one that waits is not."""

import signal
import threading
import time

import pytest

from deeplab.cpu_limit import cpu_limit


def _spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_busy_block_is_ended() -> None:
    """With the caller's error, long before it would have ended by itself."""
    start = time.process_time()
    with pytest.raises(KeyError, match="too long"), cpu_limit(0.1, lambda: KeyError("too long")):
        _spin(10)
    assert time.process_time() - start < 2


def test_waiting_costs_nothing() -> None:
    """On a busy machine a picture takes longer, and is not refused for it."""
    with cpu_limit(0.1, lambda: KeyError("too long")):
        time.sleep(0.3)  # the point of the test: time passes, none of it is the processor's


def test_nothing_is_left_behind() -> None:
    """Neither a timer that ends later work nor a handler of the signal."""
    before = signal.getsignal(signal.SIGPROF)
    with cpu_limit(0.1, lambda: KeyError("too long")):
        pass
    _spin(0.3)
    assert signal.getsignal(signal.SIGPROF) == before


def test_other_threads_run_without_a_limit() -> None:
    """Signals reach the main thread only; elsewhere the block must still run."""
    done = []

    def work() -> None:
        with cpu_limit(0.05, lambda: KeyError("too long")):
            _spin(0.2)
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
