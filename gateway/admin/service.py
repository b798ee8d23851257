"""Administration: the registry and the archive store, as the routes use them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from gateway.archives.store import ArchiveStore
from gateway.errors import GatewayError
from gateway.registry import idempotency
from gateway.registry.database import Connection, Database
from gateway.registry.follower import Follower
from gateway.registry.promotion import Behaviour
from gateway.registry.records import CANARY, Change
from gateway.traffic.fan_out import NodeAnswer

logger = logging.getLogger(__name__)

T = TypeVar("T")
# Seconds since the last news of each node, by its name.
FleetView = Callable[[], Mapping[str, float]]
# Model, version and images -> the answer of each node that serves the version.
AskNodes = Callable[[str, str, Sequence[bytes]], Awaitable[tuple[NodeAnswer, ...]]]
# Model, candidate and stable -> the requests of both; None: not known.
KnownBehaviour = Callable[[str, str, str], tuple[Behaviour, Behaviour] | None]
# -> a salt for a canary that begins now; may take a second.
DrawSalt = Callable[[], str]

MAX_ARCHIVE_BYTES: Final = 2 * 1024**3
# Their own ones: a database that does not respond must not take those of other work.
_THREADS: Final = 4
# Reading a large archive takes seconds.
_INSPECTIONS: Final = 2


@dataclass(frozen=True)
class Created:
    """The answer to a creating request. etag: the model's after it. body: JSON."""

    status: int
    etag: int
    body: str


async def _no_node(_model: str, _version: str, _images: Sequence[bytes]) -> tuple[NodeAnswer, ...]:
    return ()


class Administration:
    """The registry, the archive store and what is known of the nodes.

    fleet_view: seconds since the last news of each node; None: by the moments in the registry.
    ask_nodes, behaviour: evidence for the gate of a promotion. behaviour: None if it is not known;
    called in a thread, within the transaction: it tells what is known, and never waits. draw_salt:
    None for salts by chance.
    """

    def __init__(
        self,
        database: Database,
        follower: Follower,
        store: ArchiveStore,
        fleet_view: FleetView | None = None,
        *,
        ask_nodes: AskNodes = _no_node,
        behaviour: KnownBehaviour | None = None,
        draw_salt: DrawSalt | None = None,
        max_archive_bytes: int = MAX_ARCHIVE_BYTES,
    ) -> None:
        self.store = store
        self.fleet_view = fleet_view
        self.ask_nodes = ask_nodes
        self.behaviour = behaviour
        self._draw_salt = draw_salt
        self.max_archive_bytes = max_archive_bytes
        self._database = database
        self._follower = follower
        self._threads = ThreadPoolExecutor(_THREADS, "admin")
        self._inspections = ThreadPoolExecutor(_INSPECTIONS, "inspection")

    def ages(self) -> Mapping[str, float] | None:
        """Return the seconds since the last news of each node, if this gateway knows them."""
        return self.fleet_view() if self.fleet_view else None

    def close(self) -> None:
        """End the threads."""
        for pool in (self._threads, self._inspections):
            pool.shutdown(wait=False, cancel_futures=True)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Return what ``work`` reads; raises RegistryUnavailableError."""

        def reading() -> T:
            with self._database.reading() as connection:
                return work(connection)

        return await self._run(self._threads, reading)

    async def change(self, work: Callable[[Connection], T]) -> T:
        """Commit what ``work`` writes, all or nothing; raises RegistryUnavailableError.

        This gateway follows at once, every other within a second.
        """

        def writing() -> T:
            with self._database.writing() as connection:
                return work(connection)

        # Shielded: when the client leaves, the change is committed all the same, and followed.
        return await asyncio.shield(self._commit(writing))

    async def salted(self, change: Change, model: str, version: str | None) -> Change:
        """Return a change that may begin a canary, with a salt for the clients of now.

        version: of the canary; None for the present one. It keeps its salt while it has a share.
        """
        state = self._follower.snapshot.models.get(model)
        goes_on = (
            state is not None
            and state.canary_percent > 0
            and version in (None, state.aliases.get(CANARY))
        )
        if self._draw_salt is None or goes_on:
            return change
        return replace(change, salt=await self._run(self._threads, self._draw_salt))

    async def first_answer(self, request: idempotency.Request | None) -> Created | None:
        """Return the answer to a repeated request, before any work is done for it; None if new.

        Errors are those of `create`, which looks again: another one may be faster.
        """
        if request is None:
            return None
        return await self.read(lambda connection: _first_answer(connection, request))

    async def create(
        self, request: idempotency.Request | None, work: Callable[[Connection], Created]
    ) -> Created:
        """Do the same for a creating request; one that is repeated gets its first answer.

        request: None without an Idempotency-Key. Raises InvalidRequestError if the key was used for
        another request.
        """

        def once(connection: Connection) -> Created:
            if request is None:
                return work(connection)
            if (known := _first_answer(connection, request)) is not None:
                return known
            created = work(connection)
            kept = f"{created.etag}\n{created.body}"
            idempotency.keep(connection, request, idempotency.Answer(created.status, kept))
            return created

        return await self.change(once)

    async def inspect(self, work: Callable[[], T]) -> T:
        """Return what ``work`` finds in an archive, in a thread for such work."""
        return await self._run(self._inspections, work)

    async def _commit(self, writing: Callable[[], T]) -> T:
        result = await self._run(self._threads, writing)
        try:
            await self._follower.refresh()
        except GatewayError as exc:
            # It is committed: the follower will see it as soon as the database answers.
            logger.warning("a change is committed, but not followed yet: %s", exc.detail)
        return result

    @staticmethod
    async def _run(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)


def _first_answer(connection: Connection, request: idempotency.Request) -> Created | None:
    known = idempotency.answer_to(connection, request)
    if known is None:
        return None
    etag, _, body = known.body.partition("\n")
    return Created(known.status, int(etag), body)


def json_of(value: Any) -> str:
    """Return the JSON of a schema."""
    text: str = value.model_dump_json()
    return text
