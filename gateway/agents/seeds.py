"""Archives that came with a node: the model that was built on the machine, or in its image.

A version that was seeded follows its seed while that has the same weights, as after an update of
the product. What a person added is never replaced.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway.archives.failures import DamagedArchiveError
from gateway.archives.inspection import ArchiveFacts, inspect
from gateway.archives.store import ArchiveStore
from gateway.archives.waiting import delete_unused, waiting
from gateway.errors import ConflictError, GatewayError, NotFoundError, StoreUnavailableError
from gateway.registry import policies, versions
from gateway.registry.database import Connection, Database
from gateway.registry.follower import Follower
from gateway.registry.records import STABLE, Change, VersionRecord

ACTOR: Final = "seed"
_SERVER_ERROR: Final = 500


@dataclass(frozen=True)
class Seed:
    """What a node offers. is_stable: whether it must be what clients get, whatever was before."""

    model: str
    version: str
    sha256: str
    is_stable: bool


class Seeds:
    """Takes what nodes offer."""

    def __init__(
        self, database: Database, follower: Follower, store: ArchiveStore, max_bytes: int
    ) -> None:
        self._database = database
        self._follower = follower
        self._store = store
        self._max_bytes = max_bytes

    async def offered(self, seed: Seed) -> dict[str, Any]:
        """Return whether the archive is needed; a known one becomes stable where it must.

        Reads the store's copy to its end: a node with sound bytes is the one to mend damaged ones.
        """
        known, refusal, is_settled = await asyncio.to_thread(self._look, seed)
        if refusal is not None:
            return {"needs_archive": False, "refusal": refusal}
        if known is None or known.sha256 != seed.sha256 or known.state != "available":
            return {"needs_archive": True}
        if not await self._is_sound(seed.sha256):
            return {"needs_archive": True}
        if not is_settled:
            try:
                await self._write(lambda connection: _make_stable(connection, seed))
            except ConflictError as exc:
                return {"needs_archive": False, "refusal": exc.detail}
        return {"needs_archive": False, "refusal": None}

    async def received(self, seed: Seed, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        """Take an archive; returns why not, or null."""
        try:
            async with self._store.receiving(chunks, self._max_bytes) as incoming:
                facts = await asyncio.to_thread(self._inspected, incoming.path, seed)
                if incoming.sha256 != seed.sha256:
                    return {"needs_archive": False, "refusal": "it changed while it was sent"}
                record = _record(facts, incoming.sha256, incoming.size)
                await asyncio.to_thread(self._check, record, seed)
                await self._store.keep(incoming)
            await self._add(record, seed)
        except GatewayError as exc:
            if exc.status >= _SERVER_ERROR:
                raise
            return {"needs_archive": False, "refusal": exc.detail}
        return {"needs_archive": False, "refusal": None}

    def _look(self, seed: Seed) -> tuple[VersionRecord | None, str | None, bool]:
        """Return the version, why the seed is not taken, and whether it is stable if it must."""
        with self._database.reading() as connection:
            known = _find(connection, seed)
            refusal = _refusal(connection, known, seed)
            is_settled = known is not None and _why_stable(connection, seed) is None
            return known, refusal, is_settled

    async def _is_sound(self, sha256: str) -> bool:
        try:
            await self._store.read(sha256, lambda _: None)
        except (NotFoundError, DamagedArchiveError):
            return False
        return True

    def _check(self, record: VersionRecord, seed: Seed) -> None:
        """Refuse an archive before it is kept."""
        with self._database.reading() as connection:
            _former(connection, record, seed)

    async def _add(self, record: VersionRecord, seed: Seed) -> None:
        """Add a version whose archive is kept, and delete the archive that it had before."""
        is_kept = waiting(lambda: self._store.has(record.sha256))
        former: list[str] = []

        def add(connection: Connection) -> None:
            known = _former(connection, record, seed)
            if known is None:
                versions.add(connection, record, ACTOR)
            else:
                versions.replace_seed(connection, record, Change(ACTOR, "built again"))
                former.append(known.sha256)
            _make_stable(connection, seed)
            if not is_kept():
                # A version with the same archive was removed in just this moment.
                raise StoreUnavailableError("The archive was removed meanwhile. Send it again.")

        await self._write(add)
        for sha256 in former:
            await delete_unused(self._store, sha256, versions.uses, self._write)

    def _inspected(self, path: Path, seed: Seed) -> ArchiveFacts:
        return inspect(path, file_name=f"{seed.model}-{seed.version}.mar", model=seed.model)

    async def _write(self, work: Callable[[Connection], None]) -> None:
        def writing() -> None:
            with self._database.writing() as connection:
                work(connection)

        await asyncio.to_thread(writing)
        try:
            await self._follower.refresh()
        except GatewayError:
            return  # it is committed, and followed once the database answers


def _why_stable(connection: Connection, seed: Seed) -> str | None:
    """Return why a seed must be made stable; None if it must not, or is."""
    stable = policies.read(connection, seed.model).aliases.get(STABLE)
    if stable is None:
        return "chosen for this start" if seed.is_stable else "the first version"
    return "chosen for this start" if seed.is_stable and stable != seed.version else None


def _make_stable(connection: Connection, seed: Seed) -> None:
    """Make it stable where it must be, or where nothing is."""
    why = _why_stable(connection, seed)
    if why is not None:
        policies.set_alias(connection, seed.model, STABLE, seed.version, Change(ACTOR, why))


def _refusal(connection: Connection, known: VersionRecord | None, seed: Seed) -> str | None:
    """Return why an offer is not taken, whatever its archive says."""
    if known is None:
        return None
    if known.state != "available" and not seed.is_stable:
        return "the version is retired"
    is_former = versions.had(connection, seed.model, seed.version, seed.sha256)
    if known.sha256 != seed.sha256 and is_former:
        # Two nodes with different builds would take turns.
        return (
            f"{seed.model} {seed.version} had these bytes before, and was built again since. "
            "Build this archive with another --version."
        )
    return None


def _former(connection: Connection, record: VersionRecord, seed: Seed) -> VersionRecord | None:
    """Return the version whose bytes the record replaces, None if it replaces none.

    Raises ConflictError if the seed is not taken.
    """
    known = _find(connection, seed)
    refusal = _refusal(connection, known, seed)
    if refusal is not None:
        raise ConflictError(refusal)
    versions.refuse_alias(connection, record.model, record.version)
    if known is None or known.sha256 == record.sha256:
        return None
    if not _follows(known, record):
        raise ConflictError(
            f"{record.model} has a version {record.version} already, of other bytes "
            f"(sha256 {known.sha256[:12]}...). Give the archive another version."
        )
    return known


def _find(connection: Connection, seed: Seed) -> VersionRecord | None:
    try:
        return versions.get(connection, seed.model, seed.version)
    except NotFoundError:
        return None


def _record(facts: ArchiveFacts, sha256: str, size: int) -> VersionRecord:
    tables = {"spec": facts.spec, "provenance": facts.provenance, "card": facts.card}
    return VersionRecord(
        facts.model, facts.version, sha256, size, facts.labels, tables, datetime.now(UTC), ACTOR
    )


def _follows(known: VersionRecord, new: VersionRecord) -> bool:
    """Whether a version came with a node too, and was built from the same weights."""
    weights = _weights(new)
    return known.created_by == ACTOR and weights is not None and _weights(known) == weights


def _weights(record: VersionRecord) -> object:
    provenance = record.facts.get("provenance")
    weights = provenance.get("weights") if isinstance(provenance, dict) else None
    return weights.get("sha256") if isinstance(weights, dict) else None
