"""A block that takes too much memory is ended, and leaves no trace."""

import resource
import signal
import threading

import pytest

from deeplab.memory_limit import memory_limit

MIB = 1024 * 1024


class TooMuchError(Exception):
    """The caller's."""


def _limits() -> tuple[object, ...]:
    """All that the limit sets."""
    return (
        resource.getrlimit(resource.RLIMIT_DATA),
        signal.getsignal(signal.SIGPROF),
        signal.getitimer(signal.ITIMER_PROF),
    )


def _keep(size: int, count: int) -> int:
    """Many pieces, one after the other."""
    kept = [b"x" * size for _ in range(count)]
    return sum(map(len, kept))


def test_a_single_piece_that_is_far_too_large_is_not_given() -> None:
    """At once, before anything is filled."""
    with pytest.raises(MemoryError), memory_limit(10 * MIB, TooMuchError):
        bytearray(500 * MIB)


def test_millions_of_small_pieces_end_with_the_callers_error() -> None:
    """A file can become millions of numbers; Python must not be without memory then."""
    with pytest.raises(TooMuchError), memory_limit(50 * MIB, TooMuchError):
        _keep(100, 8_000_000)


def test_many_large_pieces_end_either_way() -> None:
    """The system gives them faster than we look."""
    with pytest.raises((TooMuchError, MemoryError)), memory_limit(50 * MIB, TooMuchError):
        _keep(MIB, 1_000)


def test_what_fits_is_left_alone() -> None:
    """The usual case."""
    with memory_limit(100 * MIB, TooMuchError):
        assert _keep(MIB, 50) == 50 * MIB


@pytest.mark.parametrize("size", [0, 500])
def test_nothing_stays_behind(size: int) -> None:
    """What the system and others had set holds again, whichever way the block ends."""
    before = _limits()
    try:
        with memory_limit(50 * MIB, TooMuchError):
            assert _limits() != before
            _keep(MIB, size)
    except (TooMuchError, MemoryError):
        assert size
    assert _limits() == before
    assert _keep(MIB, 400) == 400 * MIB


def test_a_lower_limit_of_the_systems_stays() -> None:
    """Ours never allows more than the system does."""
    with memory_limit(100 * MIB, TooMuchError):
        system = resource.getrlimit(resource.RLIMIT_DATA)
        with memory_limit(200 * MIB, TooMuchError):
            assert resource.getrlimit(resource.RLIMIT_DATA) == system


def test_other_threads_run_without_a_limit() -> None:
    """The limit is the process's, and signals reach the main thread only."""
    sizes = []

    def grow() -> None:
        with memory_limit(MIB, TooMuchError):
            sizes.append(_keep(MIB, 50))

    thread = threading.Thread(target=grow)
    thread.start()
    thread.join()
    assert sizes == [50 * MIB]


def test_the_block_may_learn_that_it_needs_more() -> None:
    """A header says how large the rest is."""
    with memory_limit(50 * MIB, TooMuchError) as allow:
        allow(400 * MIB)
        assert _keep(MIB, 350) == 350 * MIB


@pytest.mark.parametrize(("size", "count"), [(100, 8_000_000), (500 * MIB, 1)])
def test_the_block_may_learn_that_it_needs_less(size: int, count: int) -> None:
    """Later looks and pieces follow what was said last."""

    def work() -> None:
        with memory_limit(2000 * MIB, TooMuchError) as allow:
            allow(50 * MIB)
            _keep(size, count)

    with pytest.raises((TooMuchError, MemoryError)):
        work()
