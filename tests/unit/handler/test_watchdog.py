"""Several limits look at one block at once, and leave nothing behind."""

import signal
import time

import pytest

from deeplab.watchdog import watchdog


def _spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_block_is_looked_at_by_all_who_want_to() -> None:
    """The inner ones as long as their block lasts, the outer ones before and after it."""
    outer, inner = [], []
    with watchdog(lambda: outer.append(1)):
        with watchdog(lambda: inner.append(1)):
            _spin(0.2)
        seen = len(outer), len(inner)
        _spin(0.2)
    assert min(seen) >= 5
    assert len(inner) == seen[1]
    assert len(outer) >= seen[0] + 5
    at_the_end = len(outer)
    _spin(0.1)
    assert (len(outer), len(inner)) == (at_the_end, seen[1])


def test_nothing_is_left_behind() -> None:
    """Neither the timer nor the signal's handler, also after an error."""
    before = signal.getsignal(signal.SIGPROF)

    def fail() -> None:
        raise KeyError("found")

    with pytest.raises(KeyError, match="found"), watchdog(lambda: None), watchdog(fail):
        _spin(5)
    assert signal.getsignal(signal.SIGPROF) == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)
