"""Key cache: the keys of the store in memory, reloaded at most once a second."""

import asyncio
import hmac
import logging
import threading
import time
from datetime import UTC, datetime
from typing import Final

from gateway.errors import GatewayError
from gateway.keys.api_key import Key, digest, split
from gateway.keys.store import KeyStore, Stamp

logger = logging.getLogger(__name__)

# Seconds before the store is checked again; a revoked key is accepted no longer than that.
_TTL_S: Final = 1.0
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
    """The keys of a store, at most a second old."""

    def __init__(self, store: KeyStore, ttl_s: float = _TTL_S) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._keys: dict[str, Key] = {}
        self._stamp: Stamp | None = None
        self._loaded_at = 0.0
        self._reload_lock = asyncio.Lock()
        # A cancelled request leaves its thread running, which must not overwrite newer keys.
        self._thread_lock = threading.Lock()
        self._load()

    async def find(self, presented: str) -> Key | None:
        """Return the key with the presented id and secret, if there is one."""
        if self._is_stale():
            # One request reloads, the others wait: after an idle period none may use stale keys.
            async with self._reload_lock:
                if self._is_stale():
                    await self._reload()
        return self.match(presented)

    async def reload(self) -> None:
        """Reload at once, after a change made by this gateway."""
        async with self._reload_lock:
            await self._reload()

    def match(self, presented: str) -> Key | None:
        """Do the same with the loaded keys, in constant time."""
        identity, secret = split(presented)
        key = self._keys.get(identity, _DUMMY)
        same = hmac.compare_digest(digest(secret), key.digest)
        return key if same and key is not _DUMMY else None

    def _is_stale(self) -> bool:
        return time.monotonic() - self._loaded_at >= self._ttl_s

    async def _reload(self) -> None:
        began = time.monotonic()
        await asyncio.to_thread(self._load)
        self._loaded_at = began

    def _load(self) -> None:
        with self._thread_lock:
            try:
                self._load_if_changed()
            except (GatewayError, OSError) as exc:
                # A file that is damaged while being edited must not lock all clients out.
                logger.warning("the keys stay as they were: %s", exc)

    def _load_if_changed(self) -> None:
        stamp = self._store.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._keys = {key.id: key for key in self._store.read()}
