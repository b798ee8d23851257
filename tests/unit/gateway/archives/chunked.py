"""Bodies that arrive in chunks."""

import hashlib
from collections.abc import AsyncIterator


async def chunked(data: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    """The data in chunks, as a body arrives."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def sha256(data: bytes) -> str:
    """The digest by which the store names these bytes."""
    return hashlib.sha256(data).hexdigest()
