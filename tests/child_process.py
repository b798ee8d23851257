"""Functions run in a fresh interpreter: for limits, timers and signal handlers of a process."""

import multiprocessing
import resource
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def run_in_child(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``function`` in the main thread of a new process; return or raise what it does.

    function: defined at the top level of a module, so that the new process can import it.
    """
    # Not forked: a new interpreter has no limits, timers or signal handlers of this process.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as executor:
        return executor.submit(function, *args, **kwargs).result()


def run_with_file_size_limit(
    max_bytes: int, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """`run_in_child`, where no file can grow beyond ``max_bytes``: what a full disk does."""
    return run_in_child(_call_limited, max_bytes, partial(function, *args, **kwargs))


def limit_file_size(max_bytes: int) -> None:
    """Set the limit for this process and those that it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, hard))


def _call_limited(max_bytes: int, function: Callable[[], R]) -> R:
    sys.dont_write_bytecode = True  # a module imported from here on would be cached cut short
    limit_file_size(max_bytes)
    return function()


def interruptible() -> None:
    """Let SIGINT end a child, also in a shell's background, where it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
