"""CPU time limit for Python code such as image decoders, which crafted files can keep busy."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deeplab.watchdog import is_main_thread, watchdog


@contextmanager
def cpu_limit(seconds: float, error: Callable[[], Exception]) -> Iterator[None]:
    """Raise ``error()`` in the block once this process has used ``seconds`` of CPU time.

    Effective in the main thread, where TorchServe's worker runs the handler; in other threads the
    block runs without a limit.
    """
    if not is_main_thread():
        yield
        return
    # CPU time, not wall-clock time: a busy machine must not cause rejections.
    end: float | None = time.process_time() + seconds

    def check() -> None:
        nonlocal end
        if end is not None and time.process_time() >= end:
            end = None  # raise once: cleanup code must not be interrupted
            raise error()

    with watchdog(check):
        yield
