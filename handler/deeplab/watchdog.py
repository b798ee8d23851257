"""Looks at a block while it works, every 10 ms of processor time: one timer for all limits.

Two timers that run out at once would put two frames on the main thread's stack for signals.
OpenVINO makes that for one frame, which AMX's registers let grow to twelve kilobytes: the second
kills the process.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_TICK_S = 0.01  # of processor time between two looks

Look = Callable[[], None]

_looks: list[Look] = []


@contextmanager
def looking(look: Look) -> Iterator[None]:
    """Call ``look`` now and then while the block works; what it raises is raised in the block.

    Only for the main thread: signals reach no other.
    """
    before = signal.signal(signal.SIGPROF, _look_all) if not _looks else None
    _looks.append(look)
    signal.setitimer(signal.ITIMER_PROF, _TICK_S, _TICK_S)
    try:
        yield
    finally:
        _looks.remove(look)
        if not _looks:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)


def can_look() -> bool:
    """Whether this is the thread that signals reach."""
    return threading.current_thread() is threading.main_thread()


def _look_all(_number: int, _frame: FrameType | None) -> None:
    for look in [*_looks]:
        look()
