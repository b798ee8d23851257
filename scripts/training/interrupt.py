"""Graceful interruption of a long computation, between two steps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class Interrupted(Exception):  # noqa: N818 - it is no error
    """A signal stopped the training; its state is saved. The text says at which step."""


@dataclass
class Stop:
    """Whether a signal has requested the end of the computation."""

    requested: bool = False


@contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """Turn Ctrl-C and SIGTERM into a request while the block runs; a second Ctrl-C raises."""
    stop = Stop()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.requested = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
