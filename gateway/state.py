"""The gateway's state: what survives a restart, what is known of the nodes, and who uses both."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.admin.service import Administration
from gateway.agents.heartbeats import Heartbeats
from gateway.agents.seeds import Seeds
from gateway.agents.token import NodeToken
from gateway.archives.store import ArchiveStore
from gateway.errors import GatewayError
from gateway.keys.access import requires_keys
from gateway.keys.cache import KeyCache
from gateway.keys.store import KeyStore, open_store
from gateway.keys.token_file import ADMIN, TokenFile
from gateway.registry import policies
from gateway.registry.database import Connection, Database
from gateway.registry.follower import Follower
from gateway.registry.measurements import shadow_hours
from gateway.registry.models import new_salt
from gateway.registry.records import AUTOMATIC, CANARY, Change, ShadowHour
from gateway.settings import Settings
from gateway.traffic.fleet import Fleet
from gateway.traffic.identity import RecentClients
from gateway.traffic.policy import balanced_salt

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """The database, the archive store, the nodes, and their users.

    cache: None where no keys are required. clients: of the traffic, as this gateway sees them.
    """

    database: Database
    follower: Follower
    archives: ArchiveStore
    fleet: Fleet
    heartbeats: Heartbeats
    seeds: Seeds
    node_token: NodeToken
    admin_token: TokenFile
    keys: KeyStore
    cache: KeyCache | None
    administration: Administration
    clients: RecentClients

    async def keep_shadow_hours(self, sums: Sequence[ShadowHour]) -> None:
        """Add sums of comparisons to the registry's, all or none."""

        def write() -> None:
            with self.database.writing(announced=False) as connection:
                for each in sums:
                    shadow_hours.add(connection, each)

        await asyncio.to_thread(write)

    async def roll_back_canary(self, model: str, canary: str, reason: str) -> None:
        """Take the canary's share away, for the reason that its limits give."""

        def work(connection: Connection) -> None:
            policy = policies.read(connection, model)
            # Another gateway may have been faster, or a person.
            if policy.aliases.get(CANARY) == canary and policy.canary_percent:
                change = Change(AUTOMATIC, reason)
                policies.set_traffic(connection, model, change, canary_percent=0)

        await self.administration.change(work)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Migrate the database, follow it and hear the nodes while the block runs.

        Raises RegistryUnavailableError. A store that is away is no reason not to serve.
        """
        await asyncio.to_thread(self.database.migrate)
        await self.follower.refresh()
        self.node_token.make()
        try:
            self.admin_token.make()
        except GatewayError as exc:
            logger.warning("commands on this machine need a key: %s", exc.detail)
        try:
            await self.archives.start()
        except GatewayError as exc:
            logger.warning("versions cannot be added: %s", exc.detail)
        try:
            async with self.follower.following(), self.heartbeats.running():
                yield
        finally:
            self.administration.close()
            self.archives.close()
            self.database.close()


def build_state(settings: Settings) -> State:
    """Build the parts; only keys are read, where they are required."""
    needs_keys = requires_keys(settings)
    keys = open_store(settings) if needs_keys else KeyStore(Database(settings.database_address))
    database = keys.database
    follower, fleet = Follower(database), Fleet()
    archives = ArchiveStore(settings.store_address, settings.data_dir / "incoming")
    most = settings.max_archive_bytes
    clients = RecentClients()
    administration = Administration(
        database,
        follower,
        archives,
        lambda: fleet.silent_s,
        draw_salt=lambda: balanced_salt(clients.identities(), _draw),
        max_archive_bytes=most,
    )
    return State(
        database=database,
        follower=follower,
        archives=archives,
        fleet=fleet,
        heartbeats=Heartbeats(database, follower, fleet),
        seeds=Seeds(database, follower, archives, most),
        node_token=NodeToken(settings.node_token, settings.node_token_address),
        admin_token=TokenFile(settings.data_dir / ADMIN),
        keys=keys,
        cache=KeyCache(keys) if needs_keys else None,
        administration=administration,
        clients=clients,
    )


def _draw() -> str:
    """Draw a salt; in between, requests have their turn."""
    time.sleep(0)
    return new_salt()
