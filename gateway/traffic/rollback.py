"""Automatic roll-back: a canary's errors and latency, compared with limits."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import takewhile
from typing import Any, Final, Self

from gateway.errors import InvalidRequestError

# Of a version in a window. With a canary of 1 % it has a hundred beside as many of stable.
MOST_REQUESTS: Final = 10_000


@dataclass(frozen=True)
class RollbackLimits:
    """What a canary may not exceed. None: no limit.

    window_s: the last seconds, which count. min_requests: below so many in them there is no
    verdict. error_percent: of the canary's requests. latency_ms: the canary's median, in
    milliseconds. latency_ratio: the canary's median as a multiple of the stable version's, which
    needs as many requests.
    """

    window_s: float = 60.0
    min_requests: int = 50
    error_percent: float | None = 5.0
    latency_ms: float | None = None
    latency_ratio: float | None = 3.0

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Return limits from JSON; raises InvalidRequestError that names the field."""
        known = {each.name for each in fields(cls)}
        for name, value in raw.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            may_be_none = value is None and name not in ("window_s", "min_requests")
            if name not in known:
                raise InvalidRequestError(
                    f"{name[:64]!r} is no limit. Known: {', '.join(sorted(known))}."
                )
            if not may_be_none and not (is_number and 0 < value < float("inf")):
                raise InvalidRequestError(f"The limit {name} must be a number above 0.")
        return cls(**raw)


@dataclass(frozen=True)
class Figures:
    """The requests of a version in a window. median_ms: of those that succeeded; None without."""

    requests: int
    failed: int
    median_ms: float | None

    @property
    def error_percent(self) -> float:
        """The share of failures, 0..100."""
        return 100 * self.failed / self.requests if self.requests else 0.0


class Window:
    """The last requests of one version; times are of any clock that never goes back."""

    def __init__(self) -> None:
        self._requests: deque[tuple[float, float | None]] = deque(maxlen=MOST_REQUESTS)

    def succeeded(self, at: float, seconds: float) -> None:
        """Note an answer. seconds: that the version needed."""
        self._requests.append((at, seconds))

    def failed(self, at: float) -> None:
        """Note a failure of the version; errors of the client do not count."""
        self._requests.append((at, None))

    def span(self, now: float, window_s: float) -> float:
        """Return how many of the last seconds are kept whole: fewer if there were too many."""
        is_full = len(self._requests) == self._requests.maxlen
        return min(window_s, now - self._requests[0][0]) if is_full else window_s

    def figures(self, now: float, window_s: float) -> Figures:
        """Return the figures of the last seconds."""
        last = takewhile(lambda each: each[0] > now - window_s, reversed(self._requests))
        recent = [seconds for _, seconds in last]
        times = sorted(seconds for seconds in recent if seconds is not None)
        median = times[len(times) // 2] * 1e3 if times else None
        return Figures(len(recent), len(recent) - len(times), median)


def verdict(canary: Figures, stable: Figures, limits: RollbackLimits) -> str | None:
    """Return in one line why a canary must be rolled back; None if it may stay."""
    # More than are kept would be a limit that no canary ever reaches.
    if canary.requests < min(limits.min_requests, MOST_REQUESTS):
        return None
    return next(_reasons(canary, stable, limits), None)


def _reasons(canary: Figures, stable: Figures, limits: RollbackLimits) -> Iterator[str]:
    of = f"of {canary.requests} requests in {limits.window_s:g} s"
    if limits.error_percent is not None and canary.error_percent > limits.error_percent:
        yield (
            f"{canary.error_percent:.1f} % {of} failed, "
            f"more than the limit of {limits.error_percent:g} %"
        )
    if canary.median_ms is None:
        return
    took = f"the median {of} took {canary.median_ms:.0f} ms"
    if limits.latency_ms is not None and canary.median_ms > limits.latency_ms:
        yield f"{took}, more than the limit of {limits.latency_ms:g} ms"
    if limits.latency_ratio is None or stable.median_ms is None:
        return
    is_known = stable.requests >= min(limits.min_requests, MOST_REQUESTS)
    if is_known and canary.median_ms > limits.latency_ratio * stable.median_ms:
        yield (
            f"{took}, more than {limits.latency_ratio:g} times the stable version's "
            f"{stable.median_ms:.0f} ms"
        )
