"""Several checks run while a block executes, and leave nothing behind."""

import signal
import threading

import pytest

from deeplab.watchdog import is_main_thread, watchdog
from tests.child_process import run_in_child
from tests.unit.handler.cpu_use import spin, spin_until

RUNS = 5


def _counts_of_nested_checks() -> list[tuple[int, int]]:
    """(outer, inner) runs at the end of the inner block, of the outer block, and after both."""
    outer, inner, counts = list[int](), list[int](), list[tuple[int, int]]()
    with watchdog(lambda: outer.append(1)):
        with watchdog(lambda: inner.append(1)):
            spin_until(lambda: min(len(outer), len(inner)) >= RUNS)
        counts.append((len(outer), len(inner)))
        spin_until(lambda: len(outer) >= counts[0][0] + RUNS)
    counts.append((len(outer), len(inner)))
    spin(0.1)
    return [*counts, (len(outer), len(inner))]


def test_every_registered_check_runs_during_its_own_block() -> None:
    """The inner check stops with the inner block, the outer one runs before and after it."""
    inside, outside, afterwards = run_in_child(_counts_of_nested_checks)
    assert min(inside) >= RUNS
    assert outside[0] >= inside[0] + RUNS
    assert outside[1] == inside[1]
    assert afterwards == outside


def _handler_and_timer_after_an_error() -> tuple[bool, tuple[float, float]]:
    """(whether the signal's handler is the one of before, what is left of the timer)."""
    before = signal.getsignal(signal.SIGPROF)

    def fail() -> None:
        raise KeyError("found")

    with pytest.raises(KeyError, match="found"), watchdog(lambda: None), watchdog(fail):
        spin(5)
    return signal.getsignal(signal.SIGPROF) == before, signal.getitimer(signal.ITIMER_PROF)


def test_nothing_is_left_behind() -> None:
    """Neither the timer nor the signal handler, also after an error."""
    assert run_in_child(_handler_and_timer_after_an_error) == (True, (0, 0))


def test_only_the_main_thread_receives_signals() -> None:
    """Limits do nothing in the others."""
    found = [is_main_thread()]
    thread = threading.Thread(target=lambda: found.append(is_main_thread()))
    thread.start()
    thread.join()
    assert found == [True, False]
