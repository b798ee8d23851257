"""TorchServe kept running: started again after growing pauses, and what to say of its ends."""

import threading
import time
from collections.abc import Callable

from agent.settings import Settings
from agent.torchserve.server import Boot, Server

SOUND_AFTER_S = 60.0
FIRST_DELAY_S, LONGEST_DELAY_S = 0.25, 10.0
SHORT_S = 1.0  # pauses up to this are waited for; in longer ones the node goes on reporting


class Keeper:
    """Starts TorchServe again whenever it ended.

    boot: what it loads by itself. say: prints a line.
    """

    def __init__(
        self, settings: Settings, boot: Callable[[], Boot], say: Callable[[str], None]
    ) -> None:
        self._server, self._boot, self._say = Server(settings), boot, say
        self._started_at, self._due = 0.0, 0.0
        self._how = ""  # it ended last; empty while it runs
        self._ends = 0  # one after the other, none of a TorchServe that was sound
        self._has_answered = False

    def start(self, stop: threading.Event) -> None:
        """Start it, unless ``stop`` is set first. Raises ServerError if it cannot be started."""
        boot = self._boot()
        names = [f"{model} {version}" for model, found in boot.items() for version in found]
        self._say(f"starting TorchServe with {', '.join(names) or 'no version yet'}")
        self._started_at, self._has_answered = time.monotonic(), False
        self._due = 0.0
        self._server.start(boot, stop)

    def watch(self, stop: threading.Event) -> bool:
        """Start it again if it ended and its pause is over; whether it is the one it was.

        Raises ServerError if it cannot be started.
        """
        how = self._server.end()
        if how is None:
            return True
        if not self._due:
            self._plan(how)
        left = self._due - time.monotonic()
        if left <= SHORT_S and not stop.wait(max(0.0, left)):
            self.start(stop)
        return False

    def _plan(self, how: str) -> None:
        now = time.monotonic()
        self._ends = 1 if now - self._started_at > SOUND_AFTER_S else self._ends + 1
        self._how, self._has_answered = how, False
        delay = min(FIRST_DELAY_S * 2.0 ** min(self._ends - 1, 10), LONGEST_DELAY_S)
        self._due = now + delay
        self._say(f"TorchServe ended ({how}); it is started again in {delay:g} s")

    def answered(self) -> None:
        """Note that it answers."""
        self._has_answered = True

    def trouble(self) -> str | None:
        """Why nothing is served where it ends at each start; None if it answers, or may soon."""
        if self._has_answered or self._ends < 2:
            return None
        return f"TorchServe ended ({self._how}) {self._ends} times; see torchserve.log"

    def stop(self) -> None:
        """Let it end."""
        self._server.stop()
