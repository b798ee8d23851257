"""Stops Python code that uses too much processor time, such as a decoder fed on purpose."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deeplab.watchdog import can_look, looking


@contextmanager
def cpu_limit(seconds: float, error: Callable[[], Exception]) -> Iterator[None]:
    """Raise ``error()`` in the block once this process has used ``seconds`` of processor time.

    Processor time, not the clock's: a busy machine refuses nobody. It works in the main thread,
    where TorchServe's worker runs the handler; elsewhere the block runs without a limit.
    """
    if not can_look():
        yield
        return
    end: float | None = time.process_time() + seconds

    def look() -> None:
        nonlocal end
        if end is not None and time.process_time() >= end:
            end = None  # what cleans up must not be disturbed
            raise error()

    with looking(look):
        yield
