"""A block that uses too much CPU time is ended; one that waits is not."""

import signal
import threading
import time

import pytest

from deeplab.cpu_limit import cpu_limit
from tests.child_process import run_in_child
from tests.unit.handler.cpu_use import spin

pytestmark = pytest.mark.slow


def _too_long() -> KeyError:
    return KeyError("too long")


def _busy_block() -> None:
    with cpu_limit(0.1, _too_long):
        spin(10)


def test_a_busy_block_is_ended() -> None:
    """With the caller's error, which is raised only if the block does not end by itself."""
    with pytest.raises(KeyError, match="too long"):
        run_in_child(_busy_block)


def _waiting_block() -> None:
    with cpu_limit(0.1, _too_long):
        time.sleep(0.3)  # longer than the limit, but without using the CPU


def test_waiting_costs_nothing() -> None:
    """On a busy machine an image takes longer, and must not be rejected for it."""
    run_in_child(_waiting_block)


def _ended_block() -> bool:
    """Whether the signal handler is the one of before, after more CPU time than the limit."""
    before = signal.getsignal(signal.SIGPROF)
    with cpu_limit(0.1, _too_long):
        pass
    spin(0.3)
    return signal.getsignal(signal.SIGPROF) == before


def test_nothing_is_left_behind() -> None:
    """Neither a timer that would end later work nor a signal handler."""
    assert run_in_child(_ended_block)


def _block_in_another_thread() -> list[bool]:
    done = []

    def work() -> None:
        with cpu_limit(0.05, _too_long):
            spin(0.2)
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return done


def test_other_threads_run_without_a_limit() -> None:
    """Signals reach the main thread only; elsewhere the block must still run."""
    assert run_in_child(_block_in_another_thread) == [True]
