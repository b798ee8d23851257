"""CPU time used on purpose, in tests of limits."""

import time
from collections.abc import Callable

MAX_CPU_S = 30.0


def spin(seconds: float) -> None:
    """Use ``seconds`` of CPU time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def spin_until(is_done: Callable[[], bool]) -> None:
    """Use CPU time until ``is_done``; AssertionError after half a minute of it."""
    end = time.process_time() + MAX_CPU_S
    while not is_done():
        assert time.process_time() < end, f"not done after {MAX_CPU_S:.0f} s of CPU time"
