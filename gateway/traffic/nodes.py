"""Choice of a node: least in flight for its workers, and a rest for those that fail."""

import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from gateway.traffic.fleet import NodeReady

FIRST_REST_S: Final = 1.0
LONGEST_REST_S: Final = 10.0
_REMEMBERED_S: Final = 600.0  # after a rest


@dataclass(slots=True)
class _Load:
    """in_flight: requests. rests_until: on the clock. rest_s: the last rest; 0 after a success."""

    in_flight: int = 0
    rests_until: float = float("-inf")
    rest_s: float = 0.0


_UNUSED: Final = _Load()


class NodeLoads:
    """What this gateway sends to each node, and how the nodes took it.

    version: whose workers a request needs; a node's workers are those of one version.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        choose: Callable[[Sequence[NodeReady]], NodeReady] = random.choice,
    ) -> None:
        self._clock = clock
        self._choose = choose
        # By node and version; the rest of a whole node is under no version.
        self._loads: dict[tuple[str, str], _Load] = {}

    def choose(
        self, nodes: Sequence[NodeReady], tried: Collection[str] = (), version: str = ""
    ) -> NodeReady | None:
        """Return the least loaded node, one by chance of several; None without any.

        tried: nodes that failed with this request; they are taken only if there is no other. If
        all rest, the one whose rest ends first is taken: no request fails because all had failed.
        """
        if not nodes:
            return None
        now = self._clock()
        ranked = [(self._rank(each, tried, version, now), each) for each in nodes]
        least = min(rank for rank, _ in ranked)
        return self._choose([each for rank, each in ranked if rank == least])

    def _rank(
        self, node: NodeReady, tried: Collection[str], version: str, now: float
    ) -> tuple[float, ...]:
        whole, own = (self._loads.get((node.name, each), _UNUSED) for each in ("", version))
        rest = max(0.0, whole.rests_until - now, own.rests_until - now)
        return (node.name in tried, rest, own.in_flight / node.workers)

    @contextmanager
    def sending(self, name: str, version: str = "") -> Iterator[None]:
        """Count a request for the block."""
        load = self._loads.setdefault((name, version), _Load())
        load.in_flight += 1
        try:
            yield
        finally:
            load.in_flight -= 1

    def in_flight(self, name: str) -> int:
        """Return how many requests of this gateway are at a node."""
        return sum(load.in_flight for (node, _), load in self._loads.items() if node == name)

    def failed(self, name: str, version: str = "") -> None:
        """Let a node rest after a refused or broken connection: 1 s, then twice as long, to 10 s.

        Failures while it rests are those of one cause, and do not count again. version: only this
        one rests there, as it has no worker that takes anything.
        """
        now = self._clock()
        self._forget(now)
        load = self._loads.setdefault((name, version), _Load())
        if now < load.rests_until:
            return
        load.rest_s = min(max(FIRST_REST_S, 2 * load.rest_s), LONGEST_REST_S)
        load.rests_until = now + load.rest_s

    def succeeded(self, name: str, version: str = "") -> None:
        """End the rest of a node, and of a version there: it answered."""
        for each in {"", version}:
            load = self._loads.get((name, each))
            if load is not None and load.rest_s:
                load.rest_s, load.rests_until = 0.0, float("-inf")

    def _forget(self, now: float) -> None:
        """Forget what has been idle for long, such as nodes that are gone."""
        for key, load in [*self._loads.items()]:
            if not load.in_flight and load.rests_until < now - _REMEMBERED_S:
                del self._loads[key]
