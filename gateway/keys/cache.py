"""Finds the key that a client sent among those of the file, which is looked at every second."""

import asyncio
import hmac
import logging
import threading
import time
from datetime import UTC, datetime
from typing import Final

from gateway.errors import GatewayError
from gateway.keys.api_key import Key, digest, split
from gateway.keys.store import KeyFile, Stamp

logger = logging.getLogger(__name__)

# Seconds for which the file is not looked at again: a revoked key counts no longer than that.
_FRESH_S: Final = 1.0
# Stands in for a key with an id that is not there, so that refusing it takes the same steps.
_NOBODY: Final = Key(
    id="0" * 12,
    name="nobody",
    role="user",
    created_at=datetime.min.replace(tzinfo=UTC),
    digest="0" * 64,
    rate=None,
    concurrency=None,
)


class Register:
    """The keys as the file has them now, or had them a second ago."""

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._keys: dict[str, Key] = {}
        self._stamp: Stamp | None = None
        self._looked_at = 0.0
        self._looking = asyncio.Lock()
        # A request that is cancelled leaves its thread behind, which must not have the last word.
        self._refreshing = threading.Lock()
        self._refresh()

    async def find(self, presented: str) -> Key | None:
        """The key with this id and secret."""
        if self._is_stale():
            # One request looks, those beside it wait: after an idle hour none may use what was.
            async with self._looking:
                if self._is_stale():
                    await self._look()
        return self.match(presented)

    async def look_again(self) -> None:
        """Learns at once of a change that this gateway made itself."""
        async with self._looking:
            await self._look()

    def match(self, presented: str) -> Key | None:
        """The same among the keys that are known; tells nothing by its time."""
        identity, secret = split(presented)
        key = self._keys.get(identity, _NOBODY)
        same = hmac.compare_digest(digest(secret), key.digest)
        return key if same and key is not _NOBODY else None

    def _is_stale(self) -> bool:
        return time.monotonic() - self._looked_at >= _FRESH_S

    async def _look(self) -> None:
        began = time.monotonic()
        await asyncio.to_thread(self._refresh)
        self._looked_at = began

    def _refresh(self) -> None:
        with self._refreshing:
            try:
                self._read_if_changed()
            except (GatewayError, OSError) as exc:
                # A slip of whoever edits it must not lock everybody out: what was known counts on.
                logger.warning("the keys stay as they were: %s", exc)

    def _read_if_changed(self) -> None:
        stamp = self._file.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._keys = {key.id: key for key in self._file.read()}
