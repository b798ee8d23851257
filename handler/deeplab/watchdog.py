"""Watchdog: runs every registered check each 10 ms of CPU time while a block executes.

Two timers that expire at once would put two frames on the main thread's signal stack. OpenVINO
allocates that stack for one frame, which AMX registers grow to twelve kilobytes: the second frame
kills the process. Hence one timer for all limits.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_TICK_S = 0.01  # of CPU time between two runs of the checks

Check = Callable[[], None]

_checks: list[Check] = []


@contextmanager
def watchdog(check: Check) -> Iterator[None]:
    """Call ``check`` periodically while the block executes; what it raises is raised in the block.

    Main thread only: signals are delivered to no other thread.
    """
    before = signal.signal(signal.SIGPROF, _run_checks) if not _checks else None
    _checks.append(check)
    signal.setitimer(signal.ITIMER_PROF, _TICK_S, _TICK_S)
    try:
        yield
    finally:
        _checks.remove(check)
        if not _checks:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)


def is_main_thread() -> bool:
    """Whether the current thread is the one that receives signals."""
    return threading.current_thread() is threading.main_thread()


def _run_checks(_number: int, _frame: FrameType | None) -> None:
    for check in [*_checks]:
        check()
