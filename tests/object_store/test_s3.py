"""The archive store in S3: the promises of the folder, and a server that dies at any moment."""

import random
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.archives import filesystem
from gateway.archives.failures import DamagedArchiveError
from gateway.archives.store import ArchiveStore
from gateway.errors import (
    InvalidRequestError,
    NotFoundError,
    StoreUnavailableError,
)
from tests.object_store.server import BUCKET, S3Server, Wire
from tests.unit.gateway.archives.chunked import chunked, sha256

pytestmark = pytest.mark.anyio

DATA = random.Random(1).randbytes(9_000_000)  # noqa: S311  # no secret
# Above it s3fs uploads in parts.
LARGE = DATA * 13
LIMIT = 1_000_000_000


async def read_into(delivered: list[bytes], store: ArchiveStore, digest: str) -> None:
    """Append the chunks of an archive, up to an error."""
    async for chunk in (await store.open(digest)).chunks:
        delivered.append(chunk)


async def read(store: ArchiveStore, digest: str) -> bytes:
    """The bytes of an archive."""
    delivered: list[bytes] = []
    await read_into(delivered, store, digest)
    return b"".join(delivered)


def spooled(tmp_path: Path) -> list[Path]:
    """What is left of uploads on this machine."""
    return [*(tmp_path / "spool").iterdir()]


@pytest.mark.parametrize("data", [b"", DATA, LARGE], ids=["empty", "one piece", "in parts"])
async def test_what_is_received_can_be_read(
    store: ArchiveStore, server: S3Server, tmp_path: Path, data: bytes
) -> None:
    """Another client sees the same bytes under the digest, and nothing is left here."""
    stored = await store.receive(chunked(data), LIMIT)
    assert (stored.sha256, stored.size) == (sha256(data), len(data))
    assert server.keys() == [f"archives/{sha256(data)}.mar"]
    there = server.client.get_object(Bucket=BUCKET, Key=server.keys()[0])["Body"].read()
    assert there == data
    assert await read(store, stored.sha256) == data
    assert spooled(tmp_path) == []


async def test_other_gateways_see_it_at_once(
    store: ArchiveStore, wire: Wire, tmp_path: Path
) -> None:
    """No listing is remembered: what was missing a moment ago is there, and the other way round."""
    other = ArchiveStore(f"s3://{BUCKET}/archives", tmp_path / "other")
    assert not await other.has(sha256(DATA))
    await store.receive(chunked(DATA), LIMIT)
    assert await other.has(sha256(DATA))
    await other.delete(sha256(DATA))
    await other.delete(sha256(DATA))
    assert not await store.has(sha256(DATA))
    with pytest.raises(NotFoundError):
        await store.open(sha256(DATA))
    other.close()


async def test_a_changed_byte_is_noticed_before_the_end(
    store: ArchiveStore, server: S3Server
) -> None:
    """As in a folder."""
    stored = await store.receive(chunked(DATA), LIMIT)
    changed = DATA[:-1] + bytes([DATA[-1] ^ 1])
    server.client.put_object(Bucket=BUCKET, Key=server.keys()[0], Body=changed)
    delivered: list[bytes] = []
    with pytest.raises(DamagedArchiveError):
        await read_into(delivered, store, stored.sha256)
    assert len(b"".join(delivered)) < len(DATA)


async def test_an_object_of_the_store_is_fetched(store: ArchiveStore, server: S3Server) -> None:
    """One that other programs put there, and none beside it."""
    server.client.put_object(Bucket=BUCKET, Key="archives/new/deeplabv3-2.0.mar", Body=DATA)
    server.client.put_object(Bucket=BUCKET, Key="others/secret", Body=b"secret")
    fetched = store.fetch(f"s3://{BUCKET}/archives/new/deeplabv3-2.0.mar")
    stored = await store.receive(fetched, LIMIT)
    assert stored.sha256 == sha256(DATA)
    with pytest.raises(NotFoundError):
        await store.receive(store.fetch(f"s3://{BUCKET}/archives/missing.mar"), LIMIT)
    for address in ("others/secret", "archives/../others/secret", "archives"):
        with pytest.raises(InvalidRequestError):
            store.fetch(f"s3://{BUCKET}/{address}")


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["one piece", "in parts"])
async def test_a_server_that_dies_in_an_upload(
    store: ArchiveStore, server: S3Server, wire: Wire, tmp_path: Path, data: bytes
) -> None:
    """One clear error, nothing half there, and the same upload works when it is back."""
    wire.break_after("up", len(data) // 2, server.kill)
    with pytest.raises(StoreUnavailableError, match="does not respond"):
        await store.receive(chunked(data), LIMIT)
    assert spooled(tmp_path) == []
    with pytest.raises(StoreUnavailableError):
        await store.has(sha256(data))
    server.start()
    assert not await store.has(sha256(data))
    await store.receive(chunked(data), LIMIT)
    assert await read(store, sha256(data)) == data


async def test_a_server_that_dies_in_a_download(
    store: ArchiveStore, server: S3Server, wire: Wire
) -> None:
    """One clear error, and never the last bytes."""
    stored = await store.receive(chunked(DATA), LIMIT)
    wire.break_after("down", len(DATA) // 2, server.kill)
    delivered: list[bytes] = []
    with pytest.raises(StoreUnavailableError, match="does not respond"):
        await read_into(delivered, store, stored.sha256)
    assert len(b"".join(delivered)) < len(DATA)


async def test_a_download_outlives_a_broken_connection(store: ArchiveStore, wire: Wire) -> None:
    """The server goes on: the client asks once more."""
    stored = await store.receive(chunked(DATA), LIMIT)
    wire.break_after("down", len(DATA) // 2, lambda: None)
    assert await read(store, stored.sha256) == DATA


async def test_parts_of_a_killed_upload_are_removed_at_a_start(
    store: ArchiveStore, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once they are old: another gateway may be uploading. Those of others are left alone."""
    for key in ("archives/a.mar", "archives2/b"):
        upload = server.client.create_multipart_upload(Bucket=BUCKET, Key=key)
        part = {"PartNumber": 1, "UploadId": upload["UploadId"]}
        server.client.upload_part(Bucket=BUCKET, Key=key, Body=b"x", **part)

    def uploads() -> list[str]:
        listed = server.client.list_multipart_uploads(Bucket=BUCKET)
        return sorted(each["Key"] for each in listed.get("Uploads", []))

    # The server gives every upload the same date, years ago.
    monkeypatch.setattr(filesystem, "ABANDONED", timedelta(days=36500))
    await store.start()
    assert uploads() == ["archives/a.mar", "archives2/b"]
    monkeypatch.setattr(filesystem, "ABANDONED", timedelta(0))
    await store.start()
    assert uploads() == ["archives2/b"]


async def test_a_missing_bucket_is_one_line(wire: Wire, tmp_path: Path) -> None:
    """It is not made."""
    store = ArchiveStore("s3://missing/archives", tmp_path / "spool")
    with pytest.raises(StoreUnavailableError, match="is gone"):
        await store.receive(chunked(DATA), LIMIT)
    store.close()
