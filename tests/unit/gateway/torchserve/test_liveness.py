"""Liveness of workers by the questions that wait and the answers that came."""

import time

import pytest

from gateway.torchserve.inference import Liveness


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The present, in a list of one."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_version_that_was_never_asked_is_not_silent(clock: list[float]) -> None:
    """There is no evidence either way."""
    liveness = Liveness()
    assert liveness.silent_s("1.0") == 0
    assert liveness.seconds_since_answer("1.0") == float("inf")


def test_silence_begins_with_the_first_question(clock: list[float]) -> None:
    """Later questions do not postpone it, and those that give up do not end it."""
    liveness = Liveness()
    liveness.begin("1.0")
    clock[0] += 3
    liveness.begin("1.0")
    clock[0] += 4
    liveness.end("1.0", is_answered=False)
    assert liveness.silent_s("1.0") == 7
    assert liveness.silent_s("2.0") == 0


def test_an_answer_ends_the_silence(clock: list[float]) -> None:
    """What still waits counts from then on: another worker may hang."""
    liveness = Liveness()
    liveness.begin("1.0")
    clock[0] += 3
    liveness.begin("1.0")
    liveness.end("1.0", is_answered=True)
    assert liveness.silent_s("1.0") == 0
    clock[0] += 2
    assert liveness.silent_s("1.0") == 2
    assert liveness.seconds_since_answer("1.0") == 2


def test_versions_that_never_answered_are_forgotten(clock: list[float]) -> None:
    """A client may name any number of them."""
    liveness = Liveness()
    for number in range(1000):
        liveness.begin(f"{number}")
        liveness.end(f"{number}", is_answered=False)
    assert liveness._versions == {}


def test_without_questions_nothing_is_silent(clock: list[float]) -> None:
    """A client that gave up says nothing about the worker."""
    liveness = Liveness()
    liveness.begin("1.0")
    clock[0] += 3
    liveness.end("1.0", is_answered=False)
    clock[0] += 60
    assert liveness.silent_s("1.0") == 0
