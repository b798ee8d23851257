"""The archive store: whole or not there, verified while read, one clear error for every failure."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.archives.failures import DamagedArchiveError
from gateway.archives.store import ArchiveStore
from gateway.errors import (
    ArchiveTooLargeError,
    InvalidRequestError,
    NotFoundError,
    StoreUnavailableError,
)
from tests.child_process import run_in_child, run_with_file_size_limit
from tests.unit.gateway.archives.chunked import chunked, sha256

pytestmark = pytest.mark.anyio

DATA = random.Random(1).randbytes(3_500_000)  # noqa: S311  # no secret
LIMIT = 10_000_000
NOBODY = 65534
ROOT = Path(__file__).parents[4]


@pytest.fixture(params=["folder", "objects"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ArchiveStore]:
    """A store in a folder, and one in an object store of this process."""
    url = str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}/a"
    each = ArchiveStore(url, tmp_path / "spool")
    await each.start()
    yield each
    each.close()


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[ArchiveStore]:
    """A store in a folder."""
    each = ArchiveStore(str(tmp_path / "store"))
    await each.start()
    yield each
    each.close()


async def read_into(delivered: list[bytes], store: ArchiveStore, digest: str) -> None:
    """Append the chunks of an archive, up to an error."""
    async for chunk in (await store.open(digest)).chunks:
        delivered.append(chunk)


async def read(store: ArchiveStore, digest: str) -> list[bytes]:
    """The chunks of an archive."""
    return [chunk async for chunk in (await store.open(digest)).chunks]


def files(tmp_path: Path) -> list[str]:
    """All files below a folder."""
    return sorted(path.name for path in tmp_path.rglob("*") if path.is_file())


async def test_what_is_received_can_be_read(store: ArchiveStore) -> None:
    """It is named by its digest, and read as it came, by its size."""
    stored = await store.receive(chunked(DATA), LIMIT)
    assert (stored.sha256, stored.size) == (sha256(DATA), len(DATA))
    assert b"".join(await read(store, stored.sha256)) == DATA
    assert (await store.open(stored.sha256)).size == len(DATA)
    assert await store.has(stored.sha256)


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 2 * 1024 * 1024 + 1])
async def test_any_size_is_read_whole(store: ArchiveStore, size: int) -> None:
    """Also an empty file, and one that ends with a block."""
    stored = await store.receive(chunked(DATA[:size]), LIMIT)
    assert b"".join(await read(store, stored.sha256)) == DATA[:size]


async def test_the_same_bytes_are_kept_once(folder: ArchiveStore, tmp_path: Path) -> None:
    """Uploads of the same archive, also at once, leave one file."""
    await asyncio.gather(*(folder.receive(chunked(DATA), LIMIT) for _ in range(3)))
    assert files(tmp_path) == [f"{sha256(DATA)}.mar"]


async def test_too_many_bytes_leave_nothing(store: ArchiveStore, tmp_path: Path) -> None:
    """The limit ends the upload before it is read to its end."""
    with pytest.raises(ArchiveTooLargeError, match="more than 1000 bytes"):
        await store.receive(chunked(DATA), 1000)
    assert files(tmp_path) == []
    assert not await store.has(sha256(DATA))


async def test_what_is_refused_leaves_nothing(store: ArchiveStore, tmp_path: Path) -> None:
    """An error in the block in which it is inspected removes it."""

    async def refuse() -> None:
        async with store.receiving(chunked(DATA), LIMIT) as incoming:
            assert incoming.path.read_bytes() == DATA
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await refuse()
    assert files(tmp_path) == []


async def test_a_cancelled_upload_leaves_nothing(folder: ArchiveStore, tmp_path: Path) -> None:
    """A client that goes away in the middle is one more end of the block."""
    arrived = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1024 * 1024)
            arrived.set()
            await asyncio.sleep(0)

    upload = asyncio.create_task(folder.receive(endless(), 1 << 40))
    await arrived.wait()
    upload.cancel()
    await asyncio.wait({upload})
    assert upload.cancelled()
    assert files(tmp_path) == []


async def test_a_deleted_archive_is_gone(store: ArchiveStore) -> None:
    """Deleting twice is no error."""
    digest = (await store.receive(chunked(DATA), LIMIT)).sha256
    await store.delete(digest)
    await store.delete(digest)
    assert not await store.has(digest)
    with pytest.raises(NotFoundError, match="has no archive"):
        await store.open(digest)


@pytest.mark.parametrize("name", ["", "x", "../store", "0" * 63, "A" * 64, "/etc/passwd", "0" * 65])
async def test_only_digests_are_names(store: ArchiveStore, name: str) -> None:
    """Nothing else reaches the file system."""
    assert not await store.has(name)
    await store.delete(name)
    with pytest.raises(NotFoundError):
        await store.open(name)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
def test_a_changed_byte_is_noticed_before_the_end(tmp_path: Path, at: int, bit: int) -> None:
    """Wherever it is, the error comes before the last chunk."""

    async def run() -> list[bytes]:
        folder = ArchiveStore(str(tmp_path / "store"))
        await folder.start()
        stored = await folder.receive(chunked(DATA), LIMIT)
        changed = bytearray(DATA)
        changed[at] ^= 1 << bit
        Path(stored.path).write_bytes(changed)
        delivered: list[bytes] = []
        with pytest.raises(DamagedArchiveError, match="damaged"):
            await read_into(delivered, folder, stored.sha256)
        folder.close()
        return delivered

    assert len(b"".join(asyncio.run(run()))) < len(DATA)


@pytest.mark.parametrize("size", [0, 1, len(DATA) - 1])
async def test_a_shortened_file_is_noticed(folder: ArchiveStore, size: int) -> None:
    """As any other change."""
    stored = await folder.receive(chunked(DATA), LIMIT)
    os.truncate(stored.path, size)
    with pytest.raises(DamagedArchiveError):
        await read(folder, stored.sha256)


async def test_adding_again_repairs(folder: ArchiveStore) -> None:
    """The advice of the error helps."""
    stored = await folder.receive(chunked(DATA), LIMIT)
    Path(stored.path).write_bytes(b"other")
    await folder.receive(chunked(DATA), LIMIT)
    assert b"".join(await read(folder, stored.sha256)) == DATA


async def test_a_fault_of_the_program_is_no_failure_of_the_store(store: ArchiveStore) -> None:
    """It keeps its traceback and is not reported as a failure of the disk."""
    stored = await store.receive(chunked(DATA), LIMIT)

    def fail(_: object) -> None:
        raise KeyError("golden")

    with pytest.raises(KeyError, match="golden"):
        await store.read(stored.sha256, fail)


WRITER = """
import asyncio, os, signal, sys
from gateway.archives.store import ArchiveStore

async def chunks():
    for _ in range(5):
        yield bytes(1024 * 1024)
    print("arriving", flush=True)
    await asyncio.sleep(60)

async def main():
    store = ArchiveStore(sys.argv[1])
    await store.start()
    await store.receive(chunks(), 1 << 30)

asyncio.run(main())
"""


async def test_what_a_kill_leaves_is_removed_at_the_next_start(tmp_path: Path) -> None:
    """But not what another gateway is receiving."""
    root = tmp_path / "store"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "arriving\n"
        store = ArchiveStore(str(root))
        await store.start()
        arriving = files(tmp_path)
        assert len(arriving) == 1
        writer.send_signal(signal.SIGKILL)
    assert files(tmp_path) == arriving
    await store.start()
    assert files(tmp_path) == []
    store.close()


def _receive(root: str, user: int | None) -> str:
    """The error of an upload, in this process or as another user."""

    async def run() -> str:
        store = ArchiveStore(root)
        if user is not None:
            os.setuid(user)
        try:
            await store.receive(chunked(DATA), LIMIT)
        except StoreUnavailableError as exc:
            return exc.detail
        finally:
            store.close()
        return "received"

    return asyncio.run(run())


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """And leaves nothing."""
    detail = run_with_file_size_limit(1_500_000, _receive, str(tmp_path), None)
    assert detail == f"The archive store {tmp_path} is full. Make room and try again."
    assert files(tmp_path) == []


def test_a_folder_of_others_is_one_line() -> None:
    """Also a file system that is mounted read-only, whose error number has the same row."""
    user = NOBODY if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as folder:  # which other users reach, unlike pytest's
        Path(folder).chmod(0o555)
        detail = run_in_child(_receive, folder, user)
    assert detail.endswith("refuses the gateway. Give it the right to read and write.")


async def test_a_vanished_folder_is_one_line(folder: ArchiveStore, tmp_path: Path) -> None:
    """It is not made again: a volume that is away would be hidden by it."""
    digest = (await folder.receive(chunked(DATA), LIMIT)).sha256
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    for call in (folder.receive(chunked(DATA), LIMIT), folder.open(digest), folder.has(digest)):
        with pytest.raises(StoreUnavailableError, match="is gone"):
            await call
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("url", ["s4://bucket/a", "nothing://x"])
def test_an_unknown_kind_of_store_is_one_line(url: str) -> None:
    """It names the setting."""
    with pytest.raises(StoreUnavailableError, match="SEGSERVE_GATEWAY_STORE_URL"):
        ArchiveStore(url)


async def test_an_object_of_the_own_store_is_fetched(tmp_path: Path) -> None:
    """Its bytes can be received."""
    url = f"memory://{tmp_path.name}/a"
    store = ArchiveStore(url, tmp_path)
    stored = await store.receive(chunked(DATA), LIMIT)
    fetched = [block async for block in store.fetch(f"{url}/{stored.sha256}.mar")]
    assert b"".join(fetched) == DATA
    with pytest.raises(NotFoundError, match=r"has no missing\.mar"):
        await anext(store.fetch(f"{url}/missing.mar"))


@pytest.mark.parametrize(
    "url",
    [
        "memory://other/a.mar",
        "memory://own/a/../../other/a.mar",
        "memory://own/a/./a.mar",
        "memory://own/a//etc/passwd",
        "memory://own/a/",
        "memory://own/a",
        "memory://own/ab.mar",
        "memory://own/a/b.mar?versionId=1",
        "memory://own/a/b.mar#x",
        "memory://own/a/b.mar::file:///etc/passwd",
        "memory://own/a/%2e%2e/b.mar",
        "memory://own/a/b\\c.mar",
        "memory://own/a/b\n.mar",
        "memory://own/a/*.mar",
        f"memory://own/a/{'b' * 1025}",
        "memory://user@own/a/b.mar",
        "MEMORY://own/a/b.mar",
        "file:///etc/passwd",
        "/etc/passwd",
        "http://127.0.0.1/a.mar",
        "simplecache::memory://own/a/b.mar",
        "",
    ],
)
async def test_no_other_address_is_fetched(tmp_path: Path, url: str) -> None:
    """Neither another host, nor a file of this machine, nor a way out of the store."""
    store = ArchiveStore("memory://own/a/", tmp_path)
    with pytest.raises(InvalidRequestError, match="below memory://own/a/"):
        store.fetch(url)


async def test_a_folder_fetches_nothing(folder: ArchiveStore, tmp_path: Path) -> None:
    """Not even its own files."""
    stored = await folder.receive(chunked(DATA), LIMIT)
    for url in (stored.path, f"file://{stored.path}", f"{tmp_path}/store/{stored.sha256}.mar"):
        with pytest.raises(InvalidRequestError, match="Upload the archive"):
            folder.fetch(url)


def test_the_address_is_shown_without_secrets() -> None:
    """It is in errors and logs."""
    assert ArchiveStore("memory://me:secret@host/a/?key=b").url == "memory://host/a/"
