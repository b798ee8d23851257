"""A block that takes too much memory is ended, and leaves no trace."""

import resource
import signal
import threading

import pytest

from deeplab.memory_limit import memory_limit
from tests.child_process import run_in_child

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
SMALL, MANY = 100, 8_000_000


class TooMuchError(Exception):
    """The caller's error."""


def _limits() -> tuple[object, ...]:
    """Everything that the limit sets."""
    return (
        resource.getrlimit(resource.RLIMIT_DATA),
        signal.getsignal(signal.SIGPROF),
        signal.getitimer(signal.ITIMER_PROF),
    )


def _keep(size: int, count: int) -> int:
    """Allocate ``count`` pieces of ``size`` bytes; returns their sum."""
    kept = [b"x" * size for _ in range(count)]
    return sum(map(len, kept))


def _keep_limited(max_growth: int, size: int, count: int) -> int:
    with memory_limit(max_growth, TooMuchError):
        return _keep(size, count)


def _allocate_limited(max_growth: int, size: int) -> None:
    with memory_limit(max_growth, TooMuchError):
        bytearray(size)


def test_a_single_piece_that_is_far_too_large_is_not_given() -> None:
    """At once, before anything is filled."""
    with pytest.raises(MemoryError):
        run_in_child(_allocate_limited, 10 * MIB, 500 * MIB)


def test_millions_of_small_pieces_end_with_the_callers_error() -> None:
    """A file can become millions of numbers; Python must not be without memory then."""
    with pytest.raises(TooMuchError):
        run_in_child(_keep_limited, 50 * MIB, SMALL, MANY)


def test_many_large_pieces_end_either_way() -> None:
    """The system gives them faster than the checks run."""
    with pytest.raises((TooMuchError, MemoryError)):
        run_in_child(_keep_limited, 50 * MIB, MIB, 1_000)


def test_what_fits_is_left_alone() -> None:
    """The usual case."""
    assert run_in_child(_keep_limited, 100 * MIB, MIB, 50) == 50 * MIB


def _limits_before_during_and_after(pieces: int) -> None:
    before = _limits()
    try:
        with memory_limit(50 * MIB, TooMuchError):
            assert _limits() != before
            _keep(MIB, pieces)
    except (TooMuchError, MemoryError):
        assert pieces
    assert _limits() == before
    assert _keep(MIB, 400) == 400 * MIB


@pytest.mark.parametrize("pieces", [0, 500])
def test_nothing_stays_behind(pieces: int) -> None:
    """What the system and others had set holds again, whichever way the block ends."""
    run_in_child(_limits_before_during_and_after, pieces)


def _nested_limits() -> tuple[object, object]:
    """RLIMIT_DATA under a limit, and under a higher one inside it."""
    with memory_limit(100 * MIB, TooMuchError):
        outer = resource.getrlimit(resource.RLIMIT_DATA)
        with memory_limit(200 * MIB, TooMuchError):
            return outer, resource.getrlimit(resource.RLIMIT_DATA)


def test_a_lower_limit_of_the_systems_stays() -> None:
    """Ours never allows more than the system does."""
    outer, inner = run_in_child(_nested_limits)
    assert inner == outer


def _grown_in_another_thread() -> list[int]:
    sizes = []

    def grow() -> None:
        sizes.append(_keep_limited(MIB, MIB, 50))

    thread = threading.Thread(target=grow)
    thread.start()
    thread.join()
    return sizes


def test_other_threads_run_without_a_limit() -> None:
    """The limit is the process's, and signals reach the main thread only."""
    assert run_in_child(_grown_in_another_thread) == [50 * MIB]


def _keep_after_a_change(max_growth: int, then: int, size: int, count: int) -> int:
    with memory_limit(max_growth, TooMuchError) as set_max_growth:
        set_max_growth(then)
        return _keep(size, count)


def test_the_block_may_learn_that_it_needs_more() -> None:
    """A header says how large the rest is."""
    kept = run_in_child(_keep_after_a_change, 50 * MIB, 400 * MIB, MIB, 350)
    assert kept == 350 * MIB


@pytest.mark.parametrize(("size", "count"), [(SMALL, MANY), (500 * MIB, 1)])
def test_the_block_may_learn_that_it_needs_less(size: int, count: int) -> None:
    """Later checks and allocations follow what was set last."""
    with pytest.raises((TooMuchError, MemoryError)):
        run_in_child(_keep_after_a_change, 2000 * MIB, 50 * MIB, size, count)
