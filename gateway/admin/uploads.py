"""Uploads of archives: received on the disk, inspected, kept, and then added as versions."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeVar

from gateway.admin import answers
from gateway.admin.service import Administration, Created, json_of
from gateway.archives.inspection import ArchiveFacts, inspect, refuse_other_bytes
from gateway.archives.spool import Incoming
from gateway.archives.waiting import delete_unused, waiting
from gateway.errors import (
    DeadlineExceededError,
    NotFoundError,
    StoreUnavailableError,
)
from gateway.registry import models, policies, versions
from gateway.registry.database import Connection
from gateway.registry.idempotency import Request
from gateway.registry.records import EVERY_NODE, Change, Placement, VersionRecord

T = TypeVar("T")

_BYTES_PER_S: Final = 64 * 1024
# Seconds that a sender may fall behind that speed.
PATIENCE_S: Final = 30.0


@dataclass(frozen=True)
class Upload:
    """An archive that is being sent. workers: of the version on every node; None: as it is.

    request: for its Idempotency-Key, still without a digest; None without one.
    """

    model: str
    workers: int | None
    change: Change
    request: Request | None = None


async def paced(
    chunks: AsyncIterable[bytes],
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    """Yield the chunks; raise DeadlineExceededError below 64 KiB/s for longer than the patience.

    Only the time of waiting for the sender counts, not that of writing.
    """
    left = patience_s
    source = aiter(chunks)
    while True:
        began = clock()
        try:
            async with asyncio.timeout(left):
                chunk = await anext(source, None)
        except TimeoutError as exc:
            raise DeadlineExceededError(
                f"The archive comes slower than {_BYTES_PER_S // 1024} KiB a second. Send it again."
            ) from exc
        if chunk is None:
            return
        left = min(patience_s, left - (clock() - began) + len(chunk) / _BYTES_PER_S)
        yield chunk


async def add_version(
    administration: Administration, upload: Upload, chunks: AsyncIterable[bytes]
) -> Created:
    """Receive an archive and add its version; 201 if it is new, 200 if it was there already.

    Raises InvalidArchiveError, ArchiveTooLargeError, ConflictError, DeadlineExceededError,
    StoreUnavailableError and RegistryUnavailableError; then no version was added.
    """
    store = administration.store
    async with store.receiving(chunks, administration.max_archive_bytes) as incoming:
        request = _digested(upload, incoming)
        if (known := await administration.first_answer(request)) is not None:
            return known
        facts = await administration.inspect(lambda: inspect(incoming.path, model=upload.model))
        await administration.read(lambda connection: _refuse(connection, facts, incoming))
        await store.keep(incoming)
    is_kept = waiting(lambda: store.has(incoming.sha256))
    return await administration.create(
        request,
        lambda connection: _add(
            connection, administration, _record(facts, incoming, upload), upload, is_kept
        ),
    )


def _digested(upload: Upload, incoming: Incoming) -> Request | None:
    return upload.request and replace(
        upload.request, digest=incoming.sha256, route=f"{upload.request.route} {upload.workers}"
    )


async def retire(administration: Administration, model: str, name: str, change: Change) -> None:
    """Serve a version no longer, and delete its archive if no other one has it.

    Errors are those of `versions.retire`.
    """

    def retired(connection: Connection) -> str:
        versions.retire(connection, model, name, change)
        return versions.get(connection, model, name).sha256

    sha256 = await administration.change(retired)
    await delete_unused(administration.store, sha256, versions.uses, administration.change)


def _refuse(connection: Connection, facts: ArchiveFacts, incoming: Incoming) -> None:
    """Refuse a version with a name that is taken, before its archive is kept."""
    try:
        known = versions.get(connection, facts.model, facts.version).sha256
    except NotFoundError:
        known = None
    refuse_other_bytes(facts, incoming.sha256, known)
    versions.refuse_alias(connection, facts.model, facts.version)


def _record(facts: ArchiveFacts, incoming: Incoming, upload: Upload) -> VersionRecord:
    return VersionRecord(
        model=facts.model,
        version=facts.version,
        sha256=incoming.sha256,
        size=incoming.size,
        labels=facts.labels,
        facts={"spec": facts.spec, "provenance": facts.provenance, "card": facts.card},
        created_at=datetime.now(UTC),
        created_by=upload.change.actor,
    )


def _add(
    connection: Connection,
    administration: Administration,
    record: VersionRecord,
    upload: Upload,
    is_kept: Callable[[], bool],
) -> Created:
    if upload.change.if_match is not None:
        models.check(connection, record.model, upload.change)
    is_new = not _is_available(connection, record)
    versions.add(connection, record, upload.change.actor, upload.change.why)
    if upload.workers is not None:
        placement = Placement(record.model, record.version, EVERY_NODE, upload.workers)
        # Checked: the addition counts the etag up.
        policies.place(connection, placement, replace(upload.change, if_match=None))
    if not is_kept():
        # Another version with the same archive was removed in just this moment.
        raise StoreUnavailableError("The archive was removed meanwhile. Send it again.")
    answer = answers.version(connection, record.model, record.version, administration.ages())
    etag = models.etag(connection, record.model)
    return Created(201 if is_new else 200, etag, json_of(answer))


def _is_available(connection: Connection, record: VersionRecord) -> bool:
    try:
        known = versions.get(connection, record.model, record.version)
    except NotFoundError:
        return False
    return known.state == "available"
