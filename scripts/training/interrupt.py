"""Ends a long computation between two steps when somebody asks for it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Somebody asked the training to stop; its state is whole. The text says where it was."""


@dataclass
class Stop:
    """Whether the computation is to end."""

    requested: bool = False


@contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """While the block runs, Ctrl-C and SIGTERM let the step end; a second Ctrl-C does not."""
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
