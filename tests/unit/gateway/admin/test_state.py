"""The state of a gateway: its start, and stores other than its own folder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import fsspec
import httpx
import pytest
from pydantic import SecretStr

from gateway.keys.store import open_store
from gateway.state_settings import StateSettings
from tests.key_store import key_store
from tests.postgres import Postgres
from tests.unit.gateway.admin.conftest import MODEL, add, archive
from tests.unit.gateway.data_folders import data_folder
from tests.unit.gateway.doubles import TorchServeDouble, application

pytestmark = pytest.mark.anyio

VERSIONS = f"{MODEL}/versions"


@asynccontextmanager
async def running(**changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An admin's client of a running gateway with these settings."""
    folder = data_folder()
    _, key = key_store(folder).add("boss", "admin")
    app = application(TorchServeDouble(), auth="on", data_dir=folder, **changes)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client,
    ):
        yield client


async def test_a_store_that_is_away_is_no_reason_not_to_serve() -> None:
    """Images are served, and the registry is read; only versions cannot be added."""
    async with running(store_url="/dev/null/archives") as gateway:
        assert (await gateway.get("/v1/models")).status_code == 200
        assert (await gateway.get("/v1/admin/models")).status_code == 200
        response = await gateway.post(VERSIONS, content=archive("2.0"))
        assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
        assert int(response.headers["Retry-After"]) > 0


async def test_an_archive_is_taken_from_the_object_store() -> None:
    """By its address, which must be below the configured one; it is checked as an upload is."""
    files = fsspec.filesystem("memory")
    files.pipe({"/bucket/in/good.mar": archive("2.0"), "/bucket/in/bad.mar": b"x", "/o.mar": b"x"})
    async with running(store_url="memory://bucket") as gateway:
        statuses = {}
        for name in ("bucket/in/good.mar", "bucket/in/bad.mar", "bucket/in/none.mar", "o.mar"):
            response = await gateway.post(VERSIONS, json={"url": f"memory://{name}"})
            statuses[name] = response.status_code
        listed = (await gateway.get(VERSIONS)).json()["items"]
    assert [*statuses.values()] == [201, 422, 404, 422]
    assert [each["version"] for each in listed] == ["2.0"]
    assert files.exists(f"/bucket/{listed[0]['sha256']}.mar")


@pytest.mark.postgres
async def test_a_version_lives_the_same_life_on_postgresql(postgres: Postgres) -> None:
    """Added, tried, promoted and rolled back, by two admins at once, with the longest key name."""
    url = SecretStr(postgres.create_database())
    store = open_store(StateSettings(database_url=url, data_dir=data_folder()))
    _, key = store.add("ä" * 64, "admin")
    store.database.close()
    bearer = {"Authorization": f"Bearer {key}"}
    async with running(database_url=url) as gateway:
        gateway.headers.update(bearer)
        once = {"Idempotency-Key": "one"}
        added = await asyncio.gather(
            *(gateway.post(VERSIONS, content=archive("1.0"), headers=once) for _ in range(4))
        )
        assert {(each.status_code, each.headers["ETag"]) for each in added} == {(201, '"1"')}
        await add(gateway, "2.0", evaluated=0.7)
        share = {"canary": {"version": "2.0", "percent": 5}, "limits": {"window_s": 30}}
        changes = [
            gateway.patch(f"{MODEL}/traffic", json=share, headers={"If-Match": '"2"'})
            for _ in range(4)
        ]
        statuses = sorted([each.status_code for each in await asyncio.gather(*changes)])
        assert statuses == [200, 412, 412, 412]
        for version in ("1.0", "2.0"):
            body = {"version": version, "force": True, "why": "a try"}
            promoted = await gateway.post(f"{MODEL}/promote", json=body)
            assert promoted.status_code == 200, promoted.text
        rolled = await gateway.post(f"{MODEL}/rollback", json={})
        assert rolled.json()["aliases"] == {"stable": "1.0"}
        assert (await gateway.delete(f"{VERSIONS}/2.0")).status_code == 204
        entries = (await gateway.get("/v1/admin/audit", params={"limit": 200})).json()["items"]
        assert {len(each["actor"]) for each in entries if each["model"]} == {64}
