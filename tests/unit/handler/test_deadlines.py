"""Deadlines of jobs that waited, whatever the clocks show."""

import time

import pytest

from deeplab.deadlines import Deadlines


class _Clock:
    """A worker's clock, moved by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 5000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """The clock of the worker."""
    return _Clock(monkeypatch)


def _job(
    deadlines: Deadlines, clock: _Clock, *, left: float, sent: float, takes: float = 1.0
) -> bool:
    """Whether a job is late; it takes time unless it is."""
    deadlines.begin()
    late = deadlines.is_late(f"{left:.3f}; sender=ab12; sent={sent:.3f}")
    clock.now += 0.001 if late else takes
    deadlines.end()
    return late


@pytest.mark.parametrize("ahead", [-4999.0, -31.0, 0.0, 31.0, 3600.0, 1e9])
def test_the_offset_between_two_clocks_is_no_wait(clock: _Clock, ahead: float) -> None:
    """A sender whose clock is ahead or behind is served."""
    deadlines = Deadlines()
    for _ in range(3):
        assert not _job(deadlines, clock, left=30, sent=clock.now + ahead)
        clock.now += 10


@pytest.mark.parametrize("ahead", [-4000.0, 0.0, 3600.0])
def test_a_job_that_waited_too_long_is_late(clock: _Clock, ahead: float) -> None:
    """Ten jobs of 4 s, sent together with 30 s left: the last two come after the deadline."""
    deadlines, sent = Deadlines(), clock.now + ahead
    assert [_job(deadlines, clock, left=30, sent=sent, takes=4) for _ in range(10)] == [
        False,
        *[False] * 7,
        True,
        True,
    ]


def test_the_first_job_of_a_worker_may_have_waited(clock: _Clock) -> None:
    """A worker that starts into a full queue learns from the first job that did not wait."""
    deadlines = Deadlines()
    assert not _job(deadlines, clock, left=30, sent=clock.now - 25)
    assert not _job(deadlines, clock, left=30, sent=clock.now - 1)
    assert _job(deadlines, clock, left=30, sent=clock.now - 33)


def test_a_sender_that_slept_is_served_again(clock: _Clock) -> None:
    """Its clock stood still for an hour: the queue of refused jobs ends, and the next is served."""
    deadlines = Deadlines()
    assert not _job(deadlines, clock, left=30, sent=clock.now - 100)
    assert _job(deadlines, clock, left=30, sent=clock.now - 3700)
    clock.now += 0.2
    assert not _job(deadlines, clock, left=30, sent=clock.now - 3700)


def test_senders_are_told_apart_and_bounded(clock: _Clock) -> None:
    """Each has its own clock; a thousand of them take no memory."""
    deadlines = Deadlines()
    for number in range(1000):
        deadlines.begin()
        assert not deadlines.is_late(f"30; sender=s{number}; sent={number * 1000}")
        deadlines.end()
    assert len(deadlines._offsets) == 64
