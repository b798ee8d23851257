"""Key cache: the keys of the store in memory, reloaded in the background."""

import asyncio
import hmac
import logging
import threading
import time
from datetime import UTC, datetime
from typing import Final

from gateway.errors import GatewayError
from gateway.keys.api_key import Key, digest, split
from gateway.keys.store import KeyStore

logger = logging.getLogger(__name__)

# Seconds after which requests do not use the keys without a reload.
_TTL_S: Final = 1.0
# Seconds for which requests wait for a reload; then they use the last known keys.
_PATIENCE_S: Final = 0.25
_LOG_EVERY_S: Final = 60.0
# Compared with if the id is unknown, so that both refusals take the same steps.
_DUMMY: Final = Key(
    id="0" * 12,
    name="dummy",
    role="user",
    created_at=datetime.min.replace(tzinfo=UTC),
    digest="0" * 64,
    rate=None,
    concurrency=None,
)


class KeyCache:
    """The keys of a store, at most a second old; the last known ones while it does not answer.

    While there are requests it is reloaded before the second is over, so that none waits.
    """

    def __init__(self, store: KeyStore, ttl_s: float = _TTL_S) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._keys: dict[str, Key] = {}
        self._stamp: int | None = None
        self._loaded_at = self._began = 0.0
        self._answers = True
        self._logged_at = -float("inf")
        self._reloading: asyncio.Task[None] | None = None
        # A cancelled request leaves its thread running, which must not overwrite newer keys.
        self._thread_lock = threading.Lock()
        self._load()

    async def find(self, presented: str) -> Key | None:
        """Return the key with the presented id and secret, if there is one."""
        age = time.monotonic() - self._loaded_at
        if age >= self._ttl_s / 2:
            reloading = self._start()
            # After an idle period none may use stale keys, unless the store does not answer.
            patience = self._began + _PATIENCE_S - time.monotonic()
            if age >= self._ttl_s and self._answers and patience > 0:
                await asyncio.wait([reloading], timeout=patience)
        return self.match(presented)

    async def reload(self) -> None:
        """Reload at once, after a change made by this gateway."""
        if self._reloading is not None and not self._reloading.done():
            await asyncio.wait([self._reloading])  # it may have begun before the change
        await asyncio.wait([self._start()])

    def match(self, presented: str) -> Key | None:
        """Do the same with the loaded keys, in constant time."""
        identity, secret = split(presented)
        key = self._keys.get(identity, _DUMMY)
        same = hmac.compare_digest(digest(secret), key.digest)
        return key if same and key is not _DUMMY else None

    def _start(self) -> asyncio.Task[None]:
        """Return the reload that is running, else a new one."""
        if self._reloading is None or self._reloading.done():
            self._began = time.monotonic()
            self._reloading = asyncio.create_task(asyncio.to_thread(self._load))
        return self._reloading

    def _load(self) -> None:
        began = time.monotonic()
        with self._thread_lock:
            try:
                self._load_if_changed()
            except (GatewayError, OSError) as exc:
                # A database that is away must not lock all clients out.
                self._answers = False
                self._log(exc)
            else:
                self._answers = True
                self._logged_at = -float("inf")
        self._loaded_at = began

    def _load_if_changed(self) -> None:
        stamp = self._store.stamp()
        if stamp != self._stamp:
            self._keys = {key.id: key for key in self._store.read()}
            self._stamp = stamp

    def _log(self, failure: Exception) -> None:
        """Log one line a minute."""
        if time.monotonic() - self._logged_at >= _LOG_EVERY_S:
            self._logged_at = time.monotonic()
            logger.warning("the keys stay as they were: %s", failure)
