"""Deadlines of jobs that waited at TorchServe, on machines whose clocks differ.

TorchServe does not say how long a job waited for its worker, and a time of day would be wrong
wherever two clocks differ. So a job carries the seconds that its client had left when it was sent,
and that moment on the sender's own clock. The sender's clock is compared with this worker's by a
job that did not wait: one that came while the worker was idle.
"""

import re
import time
from collections import OrderedDict
from typing import Final

HEADER: Final = "x-segserve-timeout"
_VALUE: Final = re.compile(
    r"(-?\d{1,9}(?:\.\d{1,9})?)(?:; sender=(\w{1,64}); sent=(\d{1,12}(?:\.\d{1,9})?))?", re.ASCII
)
# A worker that had no job for this many seconds was idle: the next one of a queue takes a
# millisecond.
_IDLE_S: Final = 0.1
_MAX_SENDERS: Final = 64


class Deadlines:
    """The deadlines of one worker's jobs."""

    def __init__(self) -> None:
        # sender -> this worker's clock minus the sender's, in seconds, for a job that did not wait.
        self._offsets: OrderedDict[str, float] = OrderedDict()
        self._ended = float("-inf")
        self._was_idle = True

    def begin(self) -> None:
        """Note the start of a batch."""
        self._was_idle = time.monotonic() - self._ended > _IDLE_S

    def end(self) -> None:
        """Note the end of a batch."""
        self._ended = time.monotonic()

    def is_late(self, header: str | None) -> bool:
        """Whether a job's client has given up."""
        return self.seconds_left(header) < 0

    def seconds_left(self, header: str | None) -> float:
        """How long a job's client still waits: "29.950; sender=1f3a9c2b; sent=12345.678".

        sender: an id of the process that sent the job; sent: seconds on its monotonic clock. A
        value in another format counts as none, which is infinity.
        """
        match = _VALUE.fullmatch(header or "")
        if match is None:
            return float("inf")
        left, sender, sent = match.groups()
        waited = 0.0 if sender is None else self._waited(sender, float(sent))
        return float(left) - waited

    def _waited(self, sender: str, sent: float) -> float:
        """Return the seconds from sending to now."""
        difference = time.monotonic() - sent
        known = self._offsets.get(sender, difference)
        offset = difference if self._was_idle else min(known, difference)
        self._offsets[sender] = offset
        self._offsets.move_to_end(sender)
        if len(self._offsets) > _MAX_SENDERS:
            self._offsets.popitem(last=False)
        return difference - offset
