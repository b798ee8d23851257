"""Archive store: blobs named by their SHA-256, in a folder or in an object store (fsspec)."""

import asyncio
import hashlib
import re
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from gateway.archives.failures import DamagedArchiveError, from_failure, is_of_store
from gateway.archives.filesystem import Filesystem
from gateway.archives.spool import Incoming, PartialFile
from gateway.errors import (
    ArchiveTooLargeError,
    GatewayError,
    InvalidRequestError,
    NotFoundError,
)

T = TypeVar("T")

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
# Without "?" and "::", which have a meaning to the libraries, and without blanks.
_KEY: Final = re.compile(r"[A-Za-z0-9._=+@,-]+(/[A-Za-z0-9._=+@,-]+)*")
_LONGEST_KEY: Final = 1024
_BLOCK: Final = 1024 * 1024
# Their own ones: a store that does not respond must not take those of other work.
_THREADS: Final = 4


@dataclass(frozen=True)
class Stored:
    """An archive in the store. size: in bytes. path: its file or key."""

    sha256: str
    size: int
    path: str


@dataclass(frozen=True)
class StoredArchive:
    """An archive to read. chunks: verified; raises DamagedArchiveError before the last one."""

    size: int
    chunks: AsyncIterator[bytes]


class ArchiveStore:
    """A store of archives. All failures of disk and network are StoreUnavailableError.

    url: a folder, or a URL of fsspec such as s3://bucket/prefix.
    spool: the folder in which archives arrive for an object store; a folder store is its own.
    """

    def __init__(self, url: str, spool: Path | None = None) -> None:
        spool = spool or Path(tempfile.gettempdir()) / "segserve-incoming"
        self._files = Filesystem(url, spool)
        self._threads = ThreadPoolExecutor(_THREADS, "archives")

    @property
    def url(self) -> str:
        """The store's address, without secrets."""
        return self._files.shown

    async def start(self) -> None:
        """Make the folders, and remove what gateways left that were killed."""
        await self._run(self._files.prepare)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def receiving(self, chunks: AsyncIterable[bytes], limit: int) -> AsyncIterator[Incoming]:
        """The block in which an archive has arrived and can be inspected and kept.

        limit: in bytes. Its end removes the file unless it was kept. Raises ArchiveTooLargeError.
        """
        partial = await self._run(self._files.partial)
        try:
            yield await self._receive(partial, chunks, limit)
        finally:
            await self._run(partial.close)

    async def keep(self, incoming: Incoming) -> Stored:
        """Give an archive its final name; the store's former copy of these bytes is replaced."""
        path = await self._run(lambda: self._files.keep(incoming))
        return Stored(incoming.sha256, incoming.size, path)

    async def receive(self, chunks: AsyncIterable[bytes], limit: int) -> Stored:
        """Receive an archive and keep it as it is."""
        async with self.receiving(chunks, limit) as incoming:
            return await self.keep(incoming)

    async def open(self, sha256: str) -> StoredArchive:
        """Return an archive to read; raises NotFoundError."""
        size = await self._size(sha256)
        if size is None:
            raise NotFoundError(f"The archive store has no archive {sha256[:64]!r}.")
        return StoredArchive(size, self._verified(sha256))

    async def read(self, sha256: str, work: Callable[[BinaryIO], T]) -> T:
        """Return what ``work`` reads of an archive, verified before, in a thread.

        Raises NotFoundError, DamagedArchiveError, and what ``work`` does.
        """
        await self.open(sha256)

        def read() -> T:
            with self._files.open(self._files.blob(sha256)) as file:
                digest = hashlib.sha256()
                while block := file.read(_BLOCK):
                    digest.update(block)
                if digest.hexdigest() != sha256:
                    raise self._damaged(sha256)
                return work(file)

        return await self._run(read)

    async def has(self, sha256: str) -> bool:
        """Whether there is an archive with this digest."""
        return await self._size(sha256) is not None

    async def delete(self, sha256: str) -> None:
        """Delete an archive, if there is one."""
        if _DIGEST.fullmatch(sha256):
            await self._run(lambda: self._files.delete(sha256))

    def fetch(self, url: str) -> AsyncIterator[bytes]:
        """Return the bytes of an object of this very store, to be received.

        Raises InvalidRequestError for any other address, and NotFoundError while it is read.
        """
        if self._files.is_folder:
            raise InvalidRequestError(
                "The archive store is a folder, and only addresses of an object store are fetched. "
                "Upload the archive."
            )
        key = url.removeprefix(f"{self._files.url}/")
        is_plain = _KEY.fullmatch(key) and not {".", ".."} & set(key.split("/"))
        if key == url or not is_plain or len(key) > _LONGEST_KEY:
            raise InvalidRequestError(f"Only addresses below {self.url}/ are fetched.")
        return self._fetched(key)

    async def _size(self, sha256: str) -> int | None:
        if not _DIGEST.fullmatch(sha256):
            return None
        return await self._run(lambda: self._files.size(self._files.blob(sha256)))

    async def _receive(
        self, partial: PartialFile, chunks: AsyncIterable[bytes], limit: int
    ) -> Incoming:
        size, pending = 0, bytearray()
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise ArchiveTooLargeError(f"The archive has more than {limit} bytes, the limit.")
            pending += chunk
            if len(pending) >= _BLOCK:
                data, pending = bytes(pending), bytearray()
                await self._write(partial, data)
        await self._write(partial, bytes(pending))
        return await self._run(partial.finish)

    async def _write(self, partial: PartialFile, data: bytes) -> None:
        await self._run(lambda: partial.write(data))

    async def _fetched(self, key: str) -> AsyncIterator[bytes]:
        if await self._run(lambda: self._files.size(self._files.path(key))) is None:
            raise NotFoundError(f"The archive store has no {key}.")
        async for block in self._blocks(self._files.path(key)):
            yield block

    async def _verified(self, sha256: str) -> AsyncIterator[bytes]:
        digest, held = hashlib.sha256(), b""
        async for block in self._blocks(self._files.blob(sha256), digest.update):
            if held:
                yield held
            held = block
        if digest.hexdigest() != sha256:
            raise self._damaged(sha256)
        yield held

    def _damaged(self, sha256: str) -> DamagedArchiveError:
        return DamagedArchiveError(
            f"The archive {sha256} in {self.url} is damaged. Add the same archive again."
        )

    async def _blocks(
        self, path: str, see: Callable[[bytes], object] = len
    ) -> AsyncIterator[bytes]:
        """Yield a file's blocks; ``see`` is called with each in a thread."""

        def read(file: Any) -> bytes:
            block: bytes = file.read(_BLOCK)
            see(block)
            return block

        file = await self._run(lambda: self._files.open(path))
        try:
            while block := await self._run(lambda: read(file)):
                yield block
        finally:
            await self._run(file.close)

    async def _run(self, work: Callable[[], T]) -> T:
        """Run ``work`` in a thread; when cancelled, wait for its end, as it uses a file."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running})
            raise
        except Exception as exc:  # of any client of a store; a bug is raised as it is
            if isinstance(exc, GatewayError) or not is_of_store(exc):
                raise
            raise from_failure(exc, self.url) from exc
