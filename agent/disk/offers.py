"""The offer of what came with this node, beside the loop: a large archive takes minutes."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from agent.disk.seed import offer, read
from agent.gateway import GatewayError, Gateways
from agent.settings import Settings

OFFER_AGAIN_S = 3.0
SEEDED = "seeded"  # for which text of seed_is_stable the first seed was made stable


class Offers:
    """The seeds that no gateway has had yet, offered one after the other.

    say: prints a line. Raises SeedError if one of them cannot be offered at all.
    """

    def __init__(self, settings: Settings, gateways: Gateways, say: Callable[[str], None]) -> None:
        self._gateways, self._say = gateways, say
        self._stable_for, self._done = settings.seed_is_stable, settings.folder / SEEDED
        self._all = read(settings.seeds, first_is_stable=_is_new(self._stable_for, self._done))
        self._lock = threading.Lock()
        self._left = [*self._all]
        self._thread: threading.Thread | None = None
        self._due, self._said = 0.0, ""

    @property
    def is_waiting(self) -> bool:
        """Whether some were not offered yet."""
        return bool(self._left)

    def again(self) -> None:
        """Offer all once more; only what was to be made stable, and was not yet, still is."""
        with self._lock:
            waiting = {each.path: each for each in self._left}
            # Copies: what is being sent now may reach the database that was there before.
            self._left = [
                replace(waiting.get(each.path) or replace(each, is_stable=False))
                for each in self._all
            ]
            self._due = 0.0

    def go_on(self) -> None:
        """Offer what is left, without waiting for it; a gateway that fails is asked again."""
        is_busy = self._thread is not None and self._thread.is_alive()
        if self._left and not is_busy and time.monotonic() >= self._due:
            self._thread = threading.Thread(target=self._offer, daemon=True)
            self._thread.start()

    def _offer(self) -> None:
        while self._left:
            seed = self._left[0]
            try:
                refusal = offer(self._gateways, seed)
            except (GatewayError, OSError) as exc:
                self._say_once(f"{seed.path.name} could not be offered: {exc}")
                self._due = time.monotonic() + OFFER_AGAIN_S
                return
            if refusal is not None:
                self._say(f"{seed.path.name} is not taken: {refusal}")
            if seed.is_stable:
                with suppress(OSError):  # then it is made stable again at the next start
                    self._done.write_text(self._stable_for)
            with self._lock:
                self._left = [each for each in self._left if each is not seed]

    def _say_once(self, text: str) -> None:
        if self._said != text:
            self._said = text
            self._say(text)


def _is_new(text: str, done: Path) -> bool:
    """Whether the first seed was not made stable for this text yet."""
    with suppress(OSError, ValueError):
        return bool(text) and done.read_text() != text
    return bool(text)
