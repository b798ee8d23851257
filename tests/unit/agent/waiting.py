"""Waiting for another thread."""

import time
from collections.abc import Callable


def until(is_so: Callable[[], object]) -> None:
    """Poll; fails after 20 seconds."""
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)  # polling
