"""Trial: how a canary does beside the stable version, and its automatic roll-back."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from gateway.errors import GatewayError, OverloadedError
from gateway.registry.promotion import Behaviour
from gateway.registry.records import CANARY, STABLE
from gateway.registry.snapshot import ModelState
from gateway.traffic.rollback import RollbackLimits, Window, verdict

logger = logging.getLogger(__name__)

_LOOK_S: Final = 0.5
_SERVER_FAULT: Final = 500
# Seconds of requests by which a promotion is judged.
_GATE_S: Final = 600.0

# (model, canary, reason) -> takes the canary's share away.
RollBack = Callable[[str, str, str], Awaitable[None]]


class Trial:
    """This gateway's requests to stable and to the canary; nothing is noted without a canary.

    Those that named no version, each with what its client was told in the end.

    state: of the served model, now.
    """

    def __init__(self, state: Callable[[], ModelState | None], roll_back: RollBack) -> None:
        self._state = state
        self._roll_back = roll_back
        self._windows: dict[str, Window] = {}
        self._pair: tuple[str, str] | None = None

    def answered(self, version: str, seconds: float) -> None:
        """Note an answer. seconds: at TorchServe."""
        window = self._windows.get(version)
        if window is not None:
            window.succeeded(time.monotonic(), seconds)

    def failed(self, version: str, error: GatewayError) -> None:
        """Note an error; those of clients, and of a full queue, are not the version's."""
        window = self._windows.get(version)
        if window is None or error.status < _SERVER_FAULT or isinstance(error, OverloadedError):
            return
        window.failed(time.monotonic())

    def behaviour(
        self, _model: str, candidate: str, stable: str
    ) -> tuple[Behaviour, Behaviour] | None:
        """Return how a canary and the stable version did in the last minutes; None if unknown.

        Both in the same time: the shorter one of those that are kept whole.
        """
        if self._pair != (stable, candidate):
            return None
        now = time.monotonic()
        span = min(each.span(now, _GATE_S) for each in self._windows.values())
        return self._behaviour(candidate, now, span), self._behaviour(stable, now, span)

    def _behaviour(self, version: str, now: float, span: float) -> Behaviour:
        figures = self._windows[version].figures(now, span)
        return Behaviour(figures.requests, figures.failed, figures.median_ms)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Judge while the block runs."""
        task = asyncio.create_task(self._judge_all())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _judge_all(self) -> None:
        while True:
            try:
                await self.judge()
            except GatewayError as exc:
                logger.warning("the canary could not be rolled back: %s", exc.detail)
            except Exception:  # a bug here must not end the judging
                logger.exception("the canary could not be judged")
            await asyncio.sleep(_LOOK_S)

    async def judge(self) -> None:
        """Roll the canary back if it exceeds its limits."""
        state = self._state()
        canary = state.aliases.get(CANARY) if state else None
        stable = state.aliases.get(STABLE) if state else None
        if state is None or canary is None or stable is None or not state.canary_percent:
            self._windows, self._pair = {}, None
            return
        if self._pair != (stable, canary):
            self._pair = stable, canary
            self._windows = {stable: Window(), canary: Window()}
        limits = RollbackLimits.from_json(state.limits)
        now = time.monotonic()
        figures = {
            name: window.figures(now, limits.window_s) for name, window in self._windows.items()
        }
        reason = verdict(figures[canary], figures[stable], limits)
        if reason is not None:
            logger.warning("%s %s is rolled back: %s", state.name, canary, reason)
            await self._roll_back(state.name, canary, reason)
