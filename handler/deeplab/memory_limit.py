"""Stops Python code that takes too much memory, such as a decoder fed on purpose."""

import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_SIZES = Path("/proc/self/statm")  # in pages; the sixth is what RLIMIT_DATA counts
_DATA = 5
_TICK_S = 0.01  # of processor time between two looks
# Python itself needs memory to handle a MemoryError, and loops for ever where there is none: the
# system's limit is for single pieces that are far too large, and the looks are for all else.
HEADROOM = 256 * 1024 * 1024


@contextmanager
def memory_limit(max_growth: int, error: Callable[[], Exception]) -> Iterator[None]:
    """Raise ``error()`` in the block soon after this process has grown by ``max_growth`` bytes.

    A piece of memory that is larger than what is left, and 256 MiB more, is not given at all: that
    is a MemoryError, or whatever a library written in C makes of it. What counts is heap, stacks
    and anonymous maps. It works in the main thread, where TorchServe's worker runs the handler;
    elsewhere the block runs without a limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    most = _data_size() + max_growth
    with _no_more_than(most + HEADROOM), _looking(most, error):
        yield


@contextmanager
def _no_more_than(size: int) -> Iterator[None]:
    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    least = size if before == resource.RLIM_INFINITY else min(size, before)
    resource.setrlimit(resource.RLIMIT_DATA, (least, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


@contextmanager
def _looking(most: int, error: Callable[[], Exception]) -> Iterator[None]:
    def look(_number: int, _frame: FrameType | None) -> None:
        if _data_size() > most:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)  # what cleans up must not be disturbed
            raise error()

    before = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, _TICK_S, _TICK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _data_size() -> int:
    return int(_SIZES.read_text().split()[_DATA]) * resource.getpagesize()
