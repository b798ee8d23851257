"""The administration on a database that goes away, and clients that leave."""

import asyncio
from pathlib import Path

import httpx
import pytest

from gateway.registry import policies, versions
from gateway.registry.database import Connection
from gateway.registry.records import Change
from tests.unit.gateway.admin.conftest import MODEL, Running, add

pytestmark = pytest.mark.anyio


def _lose(folder: Path) -> None:
    """Make the database unusable, as a disk that fails does."""
    for path in folder.glob("registry.sqlite3*"):
        path.unlink()
    (folder / "registry.sqlite3").write_bytes(b"no database, " * 1000)


async def test_without_a_database_changes_and_lists_are_a_503(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """One line with Retry-After, for every route; the way of an image is another."""
    await add(gateway, "1.0")
    running.app.state.gateway_state.database.close()
    _lose(running.folder)
    answers = [
        await gateway.get("/v1/admin/models"),
        await gateway.get(f"{MODEL}/versions"),
        await gateway.get("/v1/admin/audit"),
        await gateway.put(f"{MODEL}/aliases/next", json={"version": "1.0"}),
        await gateway.post(f"{MODEL}/rollback", json={}, headers={"Idempotency-Key": "x"}),
        await gateway.delete(f"{MODEL}/versions/1.0"),
    ]
    expected = (503, "registry_unavailable", "3")
    assert {
        (each.status_code, each.json()["code"], each.headers["Retry-After"]) for each in answers
    } == {expected}
    assert {len(each.json()["detail"].splitlines()) for each in answers} == {1}


async def test_a_change_whose_client_leaves_is_followed_all_the_same(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """Cancelled after the commit began, the gateway's snapshot still has the change."""
    await add(gateway, "1.0")
    state = running.app.state.gateway_state
    change = state.administration.change(
        lambda c: policies.set_alias(c, "deeplabv3", "stable", "1.0", Change("boss"))
    )
    task = asyncio.create_task(change)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(500):
        if state.follower.snapshot.models["deeplabv3"].aliases:
            break
        await asyncio.sleep(0.01)
    assert state.follower.snapshot.models["deeplabv3"].aliases == {"stable": "1.0"}


async def test_work_that_fails_changes_nothing(running: Running) -> None:
    """An error in the middle of a change undoes all of it."""
    administration = running.app.state.gateway_state.administration
    await add(running.admin, "1.0", "2.0")
    before = (await running.admin.get(MODEL)).json()

    def failing(connection: Connection) -> None:
        policies.set_alias(connection, "deeplabv3", "stable", "1.0", Change("boss"))
        versions.retire(connection, "deeplabv3", "2.0", Change("boss"))
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await administration.change(failing)
    assert (await running.admin.get(MODEL)).json() == before
