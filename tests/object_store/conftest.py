"""Fixtures: an S3 server, a wire to it, and the gateway's store behind the wire."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.archives.store import ArchiveStore
from tests.object_store.server import BUCKET, SETTINGS, S3Server, Wire, running


@pytest.fixture
def anyio_backend() -> str:
    """The gateway runs on asyncio alone."""
    return "asyncio"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server with an empty bucket, and the standard variables of its clients."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    with running(tmp_path / "moto.log") as server:
        yield server


@pytest.fixture
def wire(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The way to the server for all that AWS's variables configure."""
    wire = Wire(server.port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", wire.url)
    yield wire
    wire.close()


@pytest.fixture
async def store(wire: Wire, tmp_path: Path) -> AsyncIterator[ArchiveStore]:
    """The gateway's store in a part of the bucket."""
    store = ArchiveStore(f"s3://{BUCKET}/archives", tmp_path / "spool")
    await store.start()
    yield store
    store.close()
