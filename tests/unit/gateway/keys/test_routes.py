"""The routes of the keys, for admins."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.keys.store import KeyStore
from tests.unit.gateway.doubles import TorchServeDouble, client

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(tmp_path: Path) -> KeyStore:
    """The file of the gateway's keys."""
    return KeyStore(tmp_path / "keys.json")


@pytest.fixture
async def gateway(file: KeyStore, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an admin's key, of a gateway that asks for keys."""
    _, admin = file.add("boss", "admin")
    async with client(TorchServeDouble(), auth="on", keys_file=tmp_path / "keys.json") as found:
        found.headers["Authorization"] = f"Bearer {admin}"
        yield found


async def test_the_list_shows_all_but_secrets_and_digests(
    gateway: httpx.AsyncClient, file: KeyStore
) -> None:
    """What an admin needs to know of a key."""
    file.add("app", "user", "600/minute", 4)
    answer = await gateway.get("/v1/admin/keys")
    first, second = answer.json()["keys"]
    assert list(second) == ["id", "name", "role", "created_at", "rate", "concurrency"]
    assert (first["name"], first["role"], first["rate"]) == ("boss", "admin", None)
    assert (second["name"], second["rate"], second["concurrency"]) == ("app", "600/minute", 4)
    assert [key.digest for key in file.read() if key.digest in answer.text] == []


async def test_a_key_that_was_made_works_at_once_and_is_shown_once(
    gateway: httpx.AsyncClient,
) -> None:
    """No cache on the way keeps it."""
    wanted = {"name": "app", "role": "user", "rate": "5/minute", "concurrency": 2}
    answer = await gateway.post("/v1/admin/keys", json=wanted)
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert {name: made[name] for name in wanted} == wanted
    assert made["key"].startswith(f"sgs_{made['id']}_")
    with_it = await gateway.get("/v1/models", headers={"Authorization": f"Bearer {made['key']}"})
    assert with_it.status_code == 200
    assert made["key"] not in (await gateway.get("/v1/admin/keys")).text


async def test_a_whole_number_may_have_a_point(gateway: httpx.AsyncClient) -> None:
    """JSON knows one kind of numbers."""
    made = await gateway.post("/v1/admin/keys", json={"name": "app", "concurrency": 4.0})
    assert made.json()["concurrency"] == 4


async def test_a_name_is_all_that_a_key_needs(gateway: httpx.AsyncClient) -> None:
    """The least that a key may do is the default."""
    made = (await gateway.post("/v1/admin/keys", json={"name": "app"})).json()
    assert (made["role"], made["rate"], made["concurrency"]) == ("user", None, None)


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {}},
        {"json": []},
        {"json": {"name": ""}},
        {"json": {"name": "a\nb"}},
        {"json": {"name": "a\ud800".encode("utf-16", "surrogatepass").hex() + "x" * 64}},
        {"json": {"name": "app", "role": "root"}},
        {"json": {"name": "app", "rate": "often"}},
        {"json": {"name": "app", "concurrency": 0}},
        {"json": {"name": "app", "concurrency": 10**400}},
        {"json": {"name": "app", "concurrency": "4"}},
        {"json": {"name": "app", "concurrency": True}},
        {"json": {"name": "app", "concurrency": 4.5}},
        {"json": {"name": "app", "digest": "0" * 64}},
        {"content": b"{"},
        {"content": b""},
        {"content": b'{"name": "\\ud800"}', "headers": {"Content-Type": "application/json"}},
        {"content": b'{"name": "app"}', "headers": {"Content-Type": "text/plain"}},
    ],
)
async def test_a_senseless_wish_is_a_422(
    gateway: httpx.AsyncClient, file: KeyStore, sent: dict[str, Any]
) -> None:
    """And makes no key; neither does a form that any page could send without a preflight."""
    answer = await gateway.post("/v1/admin/keys", **sent)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert len(file.read()) == 1


async def test_a_revoked_key_is_refused_at_once(gateway: httpx.AsyncClient, file: KeyStore) -> None:
    """By this gateway; by the others within seconds."""
    key, presented = file.add("app", "user")
    answer = await gateway.delete(f"/v1/admin/keys/{key.id}")
    assert (answer.status_code, answer.content) == (204, b"")
    refused = await gateway.get("/v1/models", headers={"Authorization": f"Bearer {presented}"})
    assert refused.status_code == 401


@pytest.mark.parametrize("identity", ["nope", "%00", "a%20b", "x" * 64])
async def test_an_unknown_key_is_a_404(gateway: httpx.AsyncClient, identity: str) -> None:
    """Whatever its id looks like."""
    answer = await gateway.delete(f"/v1/admin/keys/{identity}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_an_id_without_end_is_a_422(gateway: httpx.AsyncClient) -> None:
    """No key has one like that."""
    answer = await gateway.delete(f"/v1/admin/keys/{'x' * 5000}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_the_last_admin_stays(gateway: httpx.AsyncClient, file: KeyStore) -> None:
    """409: nobody could add another key."""
    (boss,) = file.read()
    file.add("app", "user")
    answer = await gateway.delete(f"/v1/admin/keys/{boss.id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert boss in file.read()


async def test_where_no_keys_are_asked_for_the_last_may_go(file: KeyStore, tmp_path: Path) -> None:
    """Nobody is locked out of an open door."""
    key, _ = file.add("boss", "admin")
    async with client(TorchServeDouble(), keys_file=tmp_path / "keys.json") as gateway:
        assert (await gateway.delete(f"/v1/admin/keys/{key.id}")).status_code == 204
    assert file.read() == []


async def test_a_file_that_cannot_be_changed_is_a_409(tmp_path: Path) -> None:
    """As where it is mounted from elsewhere."""
    (tmp_path / "file").write_text("")
    async with client(TorchServeDouble(), keys_file=tmp_path / "file" / "keys.json") as gateway:
        answer = await gateway.post("/v1/admin/keys", json={"name": "app"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
