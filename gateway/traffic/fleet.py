"""Fleet: the nodes as this gateway observes them, by their heartbeats and by the registry."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.traffic.report import READY, HeardNode, Report, VersionReport, read_report

# Seconds without news after which a node gets nothing.
STALE_S: Final = 10.0
# A longer gap between two ticks is time in which this process could not hear anything.
_MAX_TICK_S: Final = 1.0
# A node that was heard directly so recently needs no news from the registry.
_DIRECT_S: Final = 3.0


class HearingClock:
    """Seconds in which news could arrive: monotonic time without the gaps between ticks.

    A gateway that was stopped, or whose registry was away, missed the news of all nodes; it must
    not take them for dead.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ticked: float | None = None
        self.seconds = 0.0

    def tick(self) -> None:
        """Note that news could arrive until now, since the last tick."""
        now = self._clock()
        if self._ticked is not None:
            self.seconds += min(now - self._ticked, _MAX_TICK_S)
        self._ticked = now


@dataclass(frozen=True)
class NodeReady:
    """A node on which a version is ready.

    workers: that are ready, at least 1. token: of its TorchServe's inference API.
    """

    name: str
    url: str
    workers: int
    token: str = ""


@dataclass(frozen=True)
class VersionStatus:
    """A version on all nodes together. nodes: those that report it, stale ones left out."""

    ready: int
    wanted: int
    nodes: dict[str, VersionReport]


@dataclass(slots=True)
class _Node:
    """heard: on the clock of the channel. last_seen: as the registry had it last.

    at: in UTC, when this gateway heard it; None of a report from the registry.
    """

    report: Report
    channel: HearingClock
    heard: float
    last_seen: datetime | None = None
    at: datetime | None = None

    @property
    def silent_s(self) -> float:
        return self.channel.seconds - self.heard


class Fleet:
    """The nodes that can be used now; never waits.

    Call `tick` every half second while heartbeats can arrive, and `merge` with each read of the
    registry.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._direct = HearingClock(clock)
        self._registry = HearingClock(clock)
        self._nodes: dict[str, _Node] = {}

    def tick(self) -> None:
        """Note that heartbeats could arrive until now."""
        self._direct.tick()

    def heard(self, report: Report, at: datetime | None = None) -> None:
        """Take a heartbeat. at: now, in UTC."""
        known = self._nodes.get(report.node)
        last_seen = known.last_seen if known else None
        heard = self._direct.seconds
        self._nodes[report.node] = _Node(report, self._direct, heard, last_seen, at)

    def merge(self, nodes: Iterable[HeardNode], now: datetime) -> None:
        """Take what the registry has just been read to have; nodes that it lacks are forgotten.

        A node was heard by another gateway if its time of last_seen changed: how long ago is not
        told by comparing clocks of machines. Only of a node that is new here, its age by this
        machine's clock counts. now: in UTC.
        """
        self._registry.tick()
        names = set()
        for node in nodes:
            names.add(node.name)
            self._merge(node, now)
        for name in self._nodes.keys() - names:
            if not self._was_heard_directly(self._nodes[name]):
                del self._nodes[name]

    def _merge(self, node: HeardNode, now: datetime) -> None:
        known = self._nodes.get(node.name)
        if known is not None and node.last_seen == known.last_seen:
            return
        if known is not None and self._was_heard_directly(known) and not _went_on(known, node):
            known.last_seen = node.last_seen
            return
        age = 0.0
        if known is None:
            age = max(0.0, (now - node.last_seen).total_seconds()) if node.last_seen else STALE_S
        report = read_report(node.name, node.url, node.report)
        heard = self._registry.seconds - age
        self._nodes[node.name] = _Node(report, self._registry, heard, node.last_seen)

    def _was_heard_directly(self, node: _Node) -> bool:
        return node.channel is self._direct and node.silent_s <= _DIRECT_S

    @property
    def fresh(self) -> dict[str, Report]:
        """The reports of all nodes that were heard within ten seconds, by name."""
        return {name: each.report for name, each in self._nodes.items() if _is_fresh(each)}

    @property
    def silent_s(self) -> dict[str, float]:
        """Seconds since the last news of each node, stale ones included."""
        return {name: each.silent_s for name, each in self._nodes.items()}

    def nodes_with(
        self, model: str, version: str, *, sha256: str = "", without: Collection[str] = ()
    ) -> list[NodeReady]:
        """Return the nodes on which a version is ready.

        sha256: of the archive that it must have been loaded from. without: nodes that are drained
        for this version, or at all.
        """
        found = []
        for name, node in self._nodes.items():
            each = node.report.models.get(model, {}).get(version)
            if each is None or each.state != READY or each.ready < 1 or name in without:
                continue
            if _is_fresh(node) and (not sha256 or each.sha256 == sha256):
                found.append(NodeReady(name, node.report.url, each.ready, node.report.token))
        return found

    def version_status(self, model: str, version: str) -> VersionStatus:
        """Return the workers of a version on all nodes."""
        nodes = {
            name: each
            for name, report in self.fresh.items()
            if (each := report.models.get(model, {}).get(version)) is not None
        }
        ready = sum(each.ready for each in nodes.values() if each.state == READY)
        return VersionStatus(ready, sum(each.wanted for each in nodes.values()), nodes)


def _went_on(known: _Node, node: HeardNode) -> bool:
    """Whether a node reports to another gateway since it was heard here.

    Where clocks differ, a report that is some seconds old may be taken, or a new one left out.
    """
    return known.at is not None and node.last_seen is not None and node.last_seen > known.at


def _is_fresh(node: _Node) -> bool:
    return node.silent_s < STALE_S
