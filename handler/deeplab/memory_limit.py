"""Stops Python code that takes too much memory, such as a decoder fed on purpose."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deeplab.watchdog import can_look, looking

_SIZES = Path("/proc/self/statm")  # in pages; the sixth is what RLIMIT_DATA counts
_DATA = 5
# Python itself needs memory to handle a MemoryError, and loops for ever where there is none: the
# system's limit is for single pieces that are far too large, and the looks are for all else.
HEADROOM = 256 * 1024 * 1024


Allow = Callable[[int], None]  # how many bytes more than at the beginning may be used from now on


@contextmanager
def memory_limit(max_growth: int, error: Callable[[], Exception]) -> Iterator[Allow]:
    """Raise ``error()`` in the block soon after this process has grown by ``max_growth`` bytes.

    The block gets a function that sets another ``max_growth``, for when it knows better.

    A piece of memory that is larger than what is left, and 256 MiB more, is not given at all: that
    is a MemoryError, or whatever a library written in C makes of it. What counts is heap, stacks
    and anonymous maps. It works in the main thread, where TorchServe's worker runs the handler;
    elsewhere the block runs without a limit.
    """
    if not can_look():
        yield lambda _max_growth: None
        return
    limit = _Limit(error)
    with limit.of_system(), looking(limit.look):
        limit.allow(max_growth)
        yield limit.allow


class _Limit:
    """The system's limit, and the looks; both follow what is allowed."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        self._error = error
        self._at_first = _data_size()
        self._most: int | None = None  # until something is allowed, and after an error
        self._soft, self._hard = resource.getrlimit(resource.RLIMIT_DATA)

    def allow(self, max_growth: int) -> None:
        """From now on, and with looks even if an error was swallowed by whom it met."""
        self._most = self._at_first + max_growth
        size = self._most + HEADROOM
        least = size if self._soft == resource.RLIM_INFINITY else min(size, self._soft)
        resource.setrlimit(resource.RLIMIT_DATA, (least, self._hard))

    @contextmanager
    def of_system(self) -> Iterator[None]:
        """Puts back what was there before."""
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (self._soft, self._hard))

    def look(self) -> None:
        """Raises the error if the process is too large."""
        if self._most is not None and _data_size() > self._most:
            self._most = None  # what cleans up must not be disturbed
            raise self._error()


def _data_size() -> int:
    return int(_SIZES.read_bytes().split()[_DATA]) * resource.getpagesize()
