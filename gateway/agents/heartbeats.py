"""Heartbeats: what nodes report, for this gateway at once, and in the registry for the others."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.agents.desired import desired_state
from gateway.agents.schemas import Heartbeat
from gateway.errors import RegistryUnavailableError
from gateway.registry import nodes
from gateway.registry.database import Connection, Database
from gateway.registry.follower import Follower
from gateway.registry.records import Change, NodeRecord
from gateway.registry.snapshot import Snapshot
from gateway.traffic.fleet import Fleet
from gateway.traffic.report import read_report

logger = logging.getLogger(__name__)

# A node is kept in the registry that often, and at once if something of it changed.
_KEEP_S: Final = 2.0
_TICK_S: Final = 0.5
# A node that is silent for so long will not come back; one that does is as new.
FORGOTTEN_AFTER: Final = timedelta(days=7)
_FORGET_EVERY_S: Final = 3600.0


class Heartbeats:
    """Takes reports and answers with the desired state; never waits for the database."""

    def __init__(self, database: Database, follower: Follower, fleet: Fleet) -> None:
        self._database = database
        self._follower = follower
        self._fleet = fleet
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}
        self._due: dict[str, NodeRecord] = {}
        # Of nodes that have heard of a newer state: its generation, and since when we know.
        self._ahead: dict[str, tuple[int, float]] = {}
        self._forgot_at = -float("inf")
        self._wake = asyncio.Event()
        # A version that a snapshot makes stable is ready on nodes that the same snapshot has.
        follower.take = self._take

    def heard(self, beat: Heartbeat) -> dict[str, Any]:
        """Take a report; return what the node should serve.

        Raises RegistryUnavailableError before the registry was read: an empty one would unload all.
        Does so too while the registry may have what this gateway has not read and the node knows.
        """
        report = beat.model_dump(exclude={"node", "url", "generation"})
        self._fleet.heard(read_report(beat.node, beat.url, report), datetime.now(UTC))
        self._keep(beat, report)
        snapshot = self._follower.snapshot
        if snapshot.generation < 0:
            raise RegistryUnavailableError("The registry has not been read yet.")
        if self._is_behind(beat):
            raise RegistryUnavailableError(
                "The node knows a newer state than this gateway, which has yet to read it."
            )
        return desired_state(snapshot, beat.node)

    def _is_behind(self, beat: Heartbeat) -> bool:
        """Whether the node's state is newer than the snapshot, as another gateway has told it.

        A lower generation in the database itself is another database, and then the truth.
        """
        if beat.generation <= self._follower.snapshot.generation:
            self._ahead.pop(beat.node, None)
            return False
        now = time.monotonic()
        generation, since = self._ahead.get(beat.node, (beat.generation, now))
        if generation != beat.generation:
            since = now
        self._ahead[beat.node] = beat.generation, since
        return not self._follower.is_fresh or self._follower.loaded_at <= since

    def _keep(self, beat: Heartbeat, report: dict[str, Any]) -> None:
        now = time.monotonic()
        kept_at, kept = self._kept.get(beat.node, (float("-inf"), {}))
        # Memory changes all the time, and nothing is decided by it.
        facts = {name: each for name, each in report.items() if name != "free_memory_mb"}
        if facts == kept and now - kept_at < _KEEP_S:
            return
        self._kept[beat.node] = now, facts
        self._due[beat.node] = NodeRecord(beat.node, beat.url, datetime.now(UTC), report)
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep reports, and the fleet's clock, while the block runs."""
        tasks = [asyncio.create_task(work()) for work in (self._write_all, self._tick_all)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _tick_all(self) -> None:
        while True:
            try:
                self._tick()
            except Exception:  # a bug here must not stop the clock by which nodes are judged
                logger.exception("the nodes could not be judged")
            await asyncio.sleep(_TICK_S)

    def _tick(self) -> None:
        self._fleet.tick()
        if not self._follower.is_fresh:
            return
        known = self._follower.snapshot.nodes
        self._take(self._follower.snapshot)
        # What was kept a moment ago may not have been read yet.
        latest = self._follower.loaded_at - _KEEP_S
        for name in [each for each, (at, _) in self._kept.items() if at < latest]:
            if name not in known:
                del self._kept[name]
                self._ahead.pop(name, None)

    def _take(self, snapshot: Snapshot) -> None:
        try:
            self._fleet.merge(snapshot.nodes.values(), datetime.now(UTC))
        except Exception:  # a bug here must not stop the following of the registry
            logger.exception("the nodes of the registry could not be taken")

    async def _write_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            due, self._due = self._due, {}
            try:
                await asyncio.to_thread(self._write, list(due.values()))
            except RegistryUnavailableError:
                # The follower says so; the next heartbeats are kept again.
                continue
            except Exception:  # one bad report must not lose the others
                logger.exception("reports of nodes could not be kept together")
                await asyncio.to_thread(self._write_each, list(due.values()))

    def _write(self, records: list[NodeRecord]) -> None:
        with self._database.writing(announced=False) as connection:
            for record in records:
                nodes.heard(connection, record)
            self._forget(connection)

    def _write_each(self, records: list[NodeRecord]) -> None:
        """Keep each record by itself: one that the database does not take stops no other."""
        for record in records:
            try:
                with self._database.writing(announced=False) as connection:
                    nodes.heard(connection, record)
            except RegistryUnavailableError:
                return
            except Exception:  # nor stop the ones after it
                logger.exception("the report of the node %s could not be kept", record.name)

    def _forget(self, connection: Connection) -> None:
        """Forget nodes that were not heard for long; looks once an hour."""
        if time.monotonic() - self._forgot_at < _FORGET_EVERY_S:
            return
        self._forgot_at = time.monotonic()
        change = Change("automatic", f"not heard for {FORGOTTEN_AFTER.days} days")
        nodes.forget_silent(connection, datetime.now(UTC) - FORGOTTEN_AFTER, change)
