"""The store in the middle of a transaction, which is a thread's."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from gateway.archives.store import ArchiveStore
from gateway.errors import GatewayError, StoreUnavailableError

logger = logging.getLogger(__name__)

T = TypeVar("T")
Connection = TypeVar("Connection")

# Seconds for which a change waits for the store, while no other one can be made.
_STORE_S: Final = 5.0


def waiting(work: Callable[[], Coroutine[Any, Any, T]]) -> Callable[[], T]:
    """Return a function that waits, in another thread, for work of this event loop.

    It raises StoreUnavailableError after five seconds, and what the work does.
    """
    loop = asyncio.get_running_loop()

    def wait() -> T:
        running = asyncio.run_coroutine_threadsafe(work(), loop)
        try:
            return running.result(_STORE_S)
        except TimeoutError as exc:
            running.cancel()
            raise StoreUnavailableError("The archive store does not respond.") from exc

    return wait


async def delete_unused(
    store: ArchiveStore,
    sha256: str,
    is_used: Callable[[Connection, str], bool],
    change: Callable[[Callable[[Connection], None]], Awaitable[None]],
) -> None:
    """Delete an archive unless a version has it.

    is_used: whether one has. change: commits what it is given; changes take turns, so that no other
    gateway adds a version with the archive meanwhile.
    """
    delete = waiting(lambda: store.delete(sha256))

    def deleted(connection: Connection) -> None:
        if not is_used(connection, sha256):
            delete()

    try:
        await change(deleted)
    except GatewayError as exc:
        # It only takes room.
        logger.warning("the archive %s is not deleted: %s", sha256, exc.detail)
