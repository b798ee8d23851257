"""Memory limit for Python code such as image decoders, which crafted files can make allocate."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deeplab.watchdog import is_main_thread, watchdog

_STATM = Path("/proc/self/statm")  # in pages; the sixth field is what RLIMIT_DATA counts
_DATA_FIELD = 5
# Python itself needs memory to handle a MemoryError, and loops indefinitely without any: the system
# limit is for single allocations that are far too large, the watchdog for everything else.
HEADROOM = 256 * 1024 * 1024


SetMaxGrowth = Callable[[int], None]  # bytes of growth, since the block was entered, to allow


@contextmanager
def memory_limit(max_growth: int, error: Callable[[], Exception]) -> Iterator[SetMaxGrowth]:
    """Raise ``error()`` in the block soon after this process has grown by ``max_growth`` bytes.

    Yields a function that sets another ``max_growth``, for a block that learns what it needs.

    A single allocation that exceeds what is left by more than 256 MiB fails at once: with a
    MemoryError, or with whatever a C library makes of it. Heap, stacks and anonymous maps count.
    Effective in the main thread, where TorchServe's worker runs the handler; in other threads the
    block runs without a limit.
    """
    if not is_main_thread():
        yield lambda _max_growth: None
        return
    limit = _Limit(error)
    with limit.restored_afterwards(), watchdog(limit.check):
        limit.set_max_growth(max_growth)
        yield limit.set_max_growth


class _Limit:
    """The system limit RLIMIT_DATA and the watchdog's check, kept in step."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        self._error = error
        self._initial_bytes = _data_bytes()
        self._max_bytes: int | None = None  # None: not set yet, or the error was raised
        self._soft, self._hard = resource.getrlimit(resource.RLIMIT_DATA)

    def set_max_growth(self, max_growth: int) -> None:
        """Allow ``max_growth`` bytes from now on; checks again even if an error was swallowed."""
        self._max_bytes = self._initial_bytes + max_growth
        size = self._max_bytes + HEADROOM
        soft = size if self._soft == resource.RLIM_INFINITY else min(size, self._soft)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, self._hard))

    @contextmanager
    def restored_afterwards(self) -> Iterator[None]:
        """Restore the previous RLIMIT_DATA when the block ends."""
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (self._soft, self._hard))

    def check(self) -> None:
        """Raise the error if the process is too large."""
        if self._max_bytes is not None and _data_bytes() > self._max_bytes:
            self._max_bytes = None  # raise once: cleanup code must not be interrupted
            raise self._error()


def _data_bytes() -> int:
    return int(_STATM.read_bytes().split()[_DATA_FIELD]) * resource.getpagesize()
