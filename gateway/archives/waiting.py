"""Waiting for the store in the middle of a transaction, which is a thread's."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from gateway.errors import StoreUnavailableError

T = TypeVar("T")

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
