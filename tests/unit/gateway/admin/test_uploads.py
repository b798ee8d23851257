"""Uploads that come slowly, break off, meet a full disk, or race with a removal."""

import asyncio
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from gateway.admin.service import Administration
from gateway.admin.uploads import Upload, add_version, paced, retire
from gateway.archives.spool import Incoming
from gateway.archives.store import ArchiveStore, Stored
from gateway.errors import (
    DeadlineExceededError,
    GatewayError,
    InvalidArchiveError,
    StoreUnavailableError,
)
from gateway.registry import versions
from gateway.registry.database import Database
from gateway.registry.follower import Follower
from gateway.registry.records import Change
from tests.child_process import run_with_file_size_limit
from tests.key_store import key_store
from tests.unit.gateway.admin.conftest import archive
from tests.unit.gateway.archives.chunked import chunked
from tests.unit.gateway.data_folders import data_folder
from tests.unit.gateway.doubles import Clock, TorchServeDouble, application, serving

pytestmark = pytest.mark.anyio

CHANGE = Change("boss")


class Started:
    """An administration on a data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(f"sqlite:///{folder / 'registry.sqlite3'}")
        self.store = ArchiveStore(str(folder / "archives"))
        self.administration = Administration(
            self.database, Follower(self.database), self.store, max_archive_bytes=10**8
        )

    async def add(self, data: bytes) -> int:
        """Upload an archive; return the status."""
        upload = Upload("deeplabv3", None, CHANGE)
        return (await add_version(self.administration, upload, chunked(data))).status

    @property
    def files(self) -> list[str]:
        """The names in the archive store, also of partial files."""
        return sorted(path.name for path in (self.folder / "archives").iterdir())

    def close(self) -> None:
        """End its threads and connections."""
        self.administration.close()
        self.store.close()
        self.database.close()


@pytest.fixture
async def started() -> AsyncIterator[Started]:
    """A new one."""
    new = Started(data_folder())
    await new.store.start()
    yield new
    new.close()


async def test_a_sender_that_stops_is_a_504() -> None:
    """Silence for longer than the patience ends the upload."""

    async def silent() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(60)

    with pytest.raises(DeadlineExceededError, match="64 KiB a second"):
        [each async for each in paced(silent(), patience_s=0.05)]


async def test_a_sender_below_the_speed_uses_its_patience_up() -> None:
    """By the clock: 32 KiB a second falls half a second behind in each."""
    clock = Clock()

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(100):
            clock.now += 1.0
            await asyncio.sleep(0)
            yield b"x" * 32 * 1024

    async def read() -> None:
        [each async for each in paced(slow(), patience_s=10.0, clock=clock)]

    with pytest.raises(DeadlineExceededError):
        await read()
    assert 17 <= clock.now - Clock().now <= 22


async def test_a_sender_at_the_speed_may_take_for_ever() -> None:
    """And time that the disk takes is not the sender's."""
    clock = Clock()

    async def steady() -> AsyncIterator[bytes]:
        for _ in range(1000):
            clock.now += 1.0
            await asyncio.sleep(0)
            yield b"x" * 64 * 1024

    received = 0
    async for _ in paced(steady(), patience_s=2.0, clock=clock):
        clock.now += 5.0
        received += 1
    assert received == 1000


async def test_an_upload_that_is_cut_off_leaves_nothing() -> None:
    """A client that vanishes in the middle: the partial file goes, and no version is there."""
    folder = data_folder()
    _, key = key_store(folder).add("boss", "admin")
    app = application(TorchServeDouble(), auth="on", data_dir=folder)
    head = (
        "POST /v1/admin/models/deeplabv3/versions HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: 10000000\r\n\r\n"
    )
    with serving(app) as port:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head.encode() + archive("2.0") + b"x" * 2_000_000)
            _wait_until(lambda: len([*(folder / "archives").iterdir()]) == 1)
        _wait_until(lambda: [*(folder / "archives").iterdir()] == [])
        headers = {"Authorization": f"Bearer {key}"}
        url = f"http://127.0.0.1:{port}/v1/admin/models"
        assert httpx.get(url, headers=headers, trust_env=False).json()["items"] == []


def _wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_full_disk_is_one_line_and_leaves_nothing() -> None:
    """503 store_unavailable; neither a file nor a version is left."""
    folder = data_folder()
    files = {"network/network.bin": bytes(range(256)) * 20_000}
    detail, left = run_with_file_size_limit(60_000, _upload_stored, str(folder), files)
    assert detail.endswith("is full. Make room and try again.")
    assert left == []


def _upload_stored(folder: str, files: dict[str, bytes]) -> tuple[str, list[str]]:
    """Upload a large archive; return the error's text and the files that are left."""

    async def upload() -> tuple[str, list[str]]:
        started = Started(Path(folder))
        await started.store.start()
        try:
            await started.add(b"".join(files.values()))
        except GatewayError as exc:
            return exc.detail, started.files
        finally:
            started.close()
        return "", started.files

    return asyncio.run(upload())


async def test_an_upload_takes_no_memory_of_its_size(started: Started) -> None:
    """40 MB go to the disk as they come: not even a fifth is held at once."""
    size, chunk = 40_000_000, bytes(64 * 1024)

    async def zeros() -> AsyncIterator[bytes]:
        for _ in range(size // len(chunk)):
            yield chunk

    tracemalloc.start()
    try:
        with pytest.raises(InvalidArchiveError):
            await add_version(
                started.administration, Upload("deeplabv3", None, CHANGE), paced(zeros())
            )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size // 5
    assert started.files == []


async def test_a_removal_of_the_same_archive_is_noticed(started: Started) -> None:
    """Two versions may not share a name, but an archive may be removed while it is added again."""
    await started.add(archive("2.0"))
    (name,) = started.files
    keep = started.store.keep

    async def keep_and_lose(incoming: Incoming) -> Stored:
        stored = await keep(incoming)
        await retire(started.administration, "deeplabv3", "2.0", CHANGE)
        return stored

    started.store.keep = keep_and_lose  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailableError, match="Send it again"):
        await started.add(archive("2.0"))
    with started.database.reading() as connection:
        assert versions.get(connection, "deeplabv3", "2.0").state == "retired"
    started.store.keep = keep  # type: ignore[method-assign]
    assert await started.add(archive("2.0")) == 201
    assert started.files == [name]


async def test_additions_and_removals_at_once_leave_what_is_served(started: Started) -> None:
    """Whatever the order, an available version has its archive."""

    async def add_or_not() -> None:
        try:
            await started.add(archive("2.0"))
        except GatewayError:
            return

    async def retire_or_not() -> None:
        try:
            await retire(started.administration, "deeplabv3", "2.0", CHANGE)
        except GatewayError:
            return

    for _ in range(5):
        await asyncio.gather(*(each() for each in (add_or_not, retire_or_not) * 4))
        with started.database.reading() as connection:
            record = versions.get(connection, "deeplabv3", "2.0")
        assert record.state == "retired" or started.files == [f"{record.sha256}.mar"]
