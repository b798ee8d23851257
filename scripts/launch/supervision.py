"""Supervision of one service: restarts after growing delays, and the last of them."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from scripts.launch.processes import Child, end_group

MOST_RESTARTS = 5
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
# A service that ran as long as this was sound: its next end is the first one again.
SOUND_AFTER_S = 60.0


class ServeError(RuntimeError):
    """A service could not be started or ended; the text says what to do."""


@dataclass
class Service:
    """A service and what its end means.

    details: for the line that announces its first start. most_restarts: how often it is started
    again without having run for a minute. is_needed: whether the product ends with it then.
    notice: looks at what it wrote, again and again while it runs, and hears whether the product is
    still starting; may raise ServeError.
    child: None while it does not run. due: monotonic time of its next start, None if there is none.
    """

    name: str
    launch: Callable[[], Child]
    details: str = ""
    most_restarts: int = MOST_RESTARTS
    is_needed: bool = True
    notice: Callable[[Child, bool], None] | None = None
    child: Child | None = None
    restarts: int = 0
    started_at: float = 0.0
    due: float | None = None

    def start(self) -> None:
        """Start it; raises OSError."""
        self.due, self.started_at = None, time.monotonic()
        self.child = self.launch()

    @property
    def running(self) -> Child:
        """Its process, which must have been started."""
        if self.child is None:
            raise RuntimeError(f"{self.name} does not run")
        return self.child

    @property
    def is_given_up(self) -> bool:
        """Whether it does not run and will not be started again."""
        return self.child is None and self.due is None

    def watch(self, *, is_starting: bool = False) -> None:
        """Start it again if it has ended and its delay is over. Raises ServeError at its last end.

        is_starting: before all services have answered, when one whose first end is by itself, not
        by a signal, is not started again: its settings are wrong. Called again and again; never
        waits.
        """
        now = time.monotonic()
        if self.child is not None:
            if self.notice is not None:
                self.notice(self.child, is_starting)
            self.child.limit_log()
            end = self.child.end()
            if end is not None:
                if is_starting and not self.restarts and self.child.process.returncode >= 0:
                    raise ServeError(end)
                end_group(self.child)  # what it started itself may hold its port
                self.child = None
                self.restarts = 0 if now - self.started_at >= SOUND_AFTER_S else self.restarts
                self._plan(end, now)
        elif self.due is not None and now >= self.due:
            self._start_again(now)

    def _start_again(self, now: float) -> None:
        try:
            self.start()
        except OSError as exc:
            self._plan(f"{self.name} could not be started: {exc.strerror}", now)
        else:
            say(f"{self.name} was started again (process {self.running.process.pid})")

    def _plan(self, end: str, now: float) -> None:
        if self.restarts < self.most_restarts:
            delay = min(FIRST_DELAY_S * 2**self.restarts, LONGEST_DELAY_S)
            self.restarts += 1
            self.due = now + delay
            say(f"{end}; restart {self.restarts} of {self.most_restarts} in {delay:g} s")
            return
        after = f", after {self.restarts} restarts" if self.restarts else ""
        if self.is_needed:
            raise ServeError(end + after)
        say(f"{end}{after}; the API goes on without {self.name}")


def say(text: str) -> None:
    """Print a line, flushed also through a pipe; a closed terminal or pipe ends nothing."""
    with suppress(OSError):
        print(f"segserve: {text}", flush=True)
