"""Sums of comparisons per hour and pair of versions, in memory until they are kept."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.masks.agreement import Agreement
from gateway.registry.records import ShadowHour

# Hours of pairs that wait for the registry; beyond it the oldest are given up.
_MAX_WAITING: Final = 1000


@dataclass(frozen=True)
class Pair:
    """The two versions of a model that are compared."""

    model: str
    stable: str
    shadow: str


# Keeps sums for good, all or none of them.
Keep = Callable[[Sequence[ShadowHour]], Awaitable[None]]


class HourlySums:
    """The sums that are not kept yet."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._sums: dict[tuple[Pair, datetime], ShadowHour] = {}

    def failed(self, pair: Pair) -> None:
        """Count a failure of the shadow."""
        self._add(ShadowHour(pair.model, pair.stable, pair.shadow, self._hour, failed=1))

    def compared(self, pair: Pair, found: Agreement, stable_s: float, shadow_s: float) -> None:
        """Add a comparison; the latencies are in seconds."""
        sums = ShadowHour(
            pair.model,
            pair.stable,
            pair.shadow,
            self._hour,
            images=1,
            pixels=found.pixels,
            agreeing=found.agreeing,
            classes=found.classes,
            stable_ms=stable_s * 1e3,
            shadow_ms=shadow_s * 1e3,
        )
        self._add(sums)

    @property
    def _hour(self) -> datetime:
        return self._now().replace(minute=0, second=0, microsecond=0)

    def _add(self, sums: ShadowHour) -> None:
        key = (Pair(sums.model, sums.stable, sums.shadow), sums.hour)
        known = self._sums.get(key)
        self._sums[key] = sums if known is None else known + sums

    async def flush(self, keep: Keep) -> None:
        """Hand all sums to ``keep``; if it fails they stay, and its error is raised."""
        rows, self._sums = [*self._sums.values()], {}
        if not rows:
            return
        try:
            await keep(rows)
        except BaseException:
            later, self._sums = [*self._sums.values()], {}
            for row in (rows + later)[-_MAX_WAITING:]:
                self._add(row)
            raise
