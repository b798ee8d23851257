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
    with liveness.question("1.0"):
        clock[0] += 3
        with liveness.question("1.0"):
            clock[0] += 4
        assert liveness.silent_s("1.0") == 7
        assert liveness.silent_s("2.0") == 0


def test_an_answer_ends_the_silence(clock: list[float]) -> None:
    """What still waits counts from then on: another worker may hang."""
    liveness = Liveness()
    with liveness.question("1.0"):
        clock[0] += 3
        with liveness.question("1.0") as question:
            question.answered()
        assert liveness.silent_s("1.0") == 0
        clock[0] += 2
        assert liveness.silent_s("1.0") == 2
        assert liveness.seconds_since_answer("1.0") == 2


def test_versions_that_never_answered_are_forgotten(clock: list[float]) -> None:
    """A client may name any number of them."""
    liveness = Liveness()
    for number in range(1000):
        with liveness.question(f"{number}"):
            pass
    assert liveness._versions == {}


def test_without_questions_nothing_is_silent(clock: list[float]) -> None:
    """A client that gave up says nothing about the worker."""
    liveness = Liveness()
    with liveness.question("1.0"):
        clock[0] += 3
    clock[0] += 60
    assert liveness.silent_s("1.0") == 0
