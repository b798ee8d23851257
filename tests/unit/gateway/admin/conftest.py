"""A running gateway with an admin's key, and archives for it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.registry import nodes
from gateway.registry.database import Database
from gateway.registry.records import NodeRecord
from tests.key_store import key_store
from tests.unit.gateway.archives.zip_files import manifest, sound_archive
from tests.unit.gateway.data_folders import data_folder
from tests.unit.gateway.doubles import TorchServeDouble, application

MODEL = "/v1/admin/models/deeplabv3"
DIGEST = "d" * 64


@dataclass(frozen=True)
class Running:
    """A gateway that runs, its data folder, a client with an admin's key, and that key's actor."""

    app: FastAPI
    folder: Path
    admin: httpx.AsyncClient
    actor: str

    @property
    def archives(self) -> list[str]:
        """The names of the files in the archive store."""
        return sorted(path.name for path in (self.folder / "archives").iterdir())

    @property
    def database(self) -> Database:
        """The gateway's database, opened again."""
        return Database(f"sqlite:///{self.folder / 'registry.sqlite3'}")


@cache  # zip files have the time of their making
def archive(version: str, model: str = "deeplabv3", **files: str | bytes | None) -> bytes:
    """A small sound archive of this version. files: other ones; None removes one."""
    changed = {"MAR-INF/MANIFEST.json": manifest(model, version)} | files
    return sound_archive(**changed)


async def add(
    gateway: httpx.AsyncClient, *versions: str, evaluated: float | None = None, **query: Any
) -> None:
    """Add versions, evaluated with this mean IoU on the same data."""
    for version in versions:
        added = await gateway.post(f"{MODEL}/versions", content=archive(version), params=query)
        assert added.status_code == 201, added.text
        if evaluated is not None:
            await evaluate(gateway, version, evaluated)


async def evaluate(gateway: httpx.AsyncClient, version: str, miou: float) -> httpx.Response:
    """Record the mean IoU of a version."""
    figures = {"miou": miou, "per_class": {"cat": miou}}
    body = {"data_name": "voc", "data_digest": DIGEST, "figures": figures}
    return await gateway.post(f"{MODEL}/versions/{version}/evaluations", json=body)


def hear(folder: Path, *versions: str, state: str = "ready", node: str = "node") -> None:
    """Let the registry of a gateway have news of a node with these versions."""
    on_node = {"sha256": DIGEST, "state": state, "ready": int(state == "ready"), "wanted": 1}
    report = {"models": {"deeplabv3": dict.fromkeys(versions, on_node)}}
    database = Database(f"sqlite:///{folder / 'registry.sqlite3'}")
    with database.writing(announced=False) as connection:
        record = NodeRecord(node, "http://node:8080", datetime.now(UTC), report)
        nodes.heard(connection, record)
    database.close()


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """A running gateway that requires keys."""
    folder = data_folder()
    store = key_store(folder)
    entry, key = store.add("boss", "admin")
    app = application(TorchServeDouble(), auth="on", data_dir=folder, max_archive_bytes=200_000)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers=headers
        ) as client,
    ):
        yield Running(app, folder, client, f"boss ({entry.id})")


@pytest.fixture
def gateway(running: Running) -> httpx.AsyncClient:
    """The admin's client of the running gateway."""
    return running.admin
