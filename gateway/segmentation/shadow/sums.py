"""Sums of comparisons per hour and pair of versions, in memory until they are kept."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.masks.agreement import Agreement

# Hours of pairs that wait for the registry; beyond it the oldest are given up.
_MAX_WAITING: Final = 1000
_NAMES: Final = ("images", "failed", "pixels", "agreeing", "stable_ms", "shadow_ms")


@dataclass(frozen=True)
class Pair:
    """The two versions of a model that are compared."""

    model: str
    stable: str
    shadow: str


@dataclass(frozen=True, slots=True)
class ShadowSums:
    """The fields of the registry's row.

    images: compared ones. failed: requests to the shadow that failed. pixels: of all masks.
    agreeing: pixels of the same class. classes: stable's class id -> (intersection, union), in
    pixels; 255 is what stable has no class for. stable_ms, shadow_ms: latency, summed.
    """

    model: str
    stable: str
    shadow: str
    hour: datetime
    images: int = 0
    failed: int = 0
    pixels: int = 0
    agreeing: int = 0
    classes: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    stable_ms: float = 0.0
    shadow_ms: float = 0.0

    def __add__(self, other: "ShadowSums") -> "ShadowSums":
        values = {name: getattr(self, name) + getattr(other, name) for name in _NAMES}
        classes = dict(self.classes)
        for class_id, (intersection, union) in other.classes.items():
            known = classes.get(class_id, (0, 0))
            classes[class_id] = (known[0] + intersection, known[1] + union)
        return ShadowSums(
            self.model, self.stable, self.shadow, self.hour, classes=classes, **values
        )


# Keeps sums for good, all or none of them.
Keep = Callable[[Sequence[ShadowSums]], Awaitable[None]]


class HourlySums:
    """The sums that are not kept yet."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._sums: dict[tuple[Pair, datetime], ShadowSums] = {}

    def failed(self, pair: Pair) -> None:
        """Count a failure of the shadow."""
        self._add(ShadowSums(pair.model, pair.stable, pair.shadow, self._hour, failed=1))

    def compared(self, pair: Pair, found: Agreement, stable_s: float, shadow_s: float) -> None:
        """Add a comparison; the latencies are in seconds."""
        sums = ShadowSums(
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

    def _add(self, sums: ShadowSums) -> None:
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
