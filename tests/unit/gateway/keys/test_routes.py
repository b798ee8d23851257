"""The routes under /v1/admin/keys."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.keys.store import KeyStore
from gateway.registry import audit
from tests.key_store import key_store
from tests.unit.gateway.doubles import TorchServeDouble, client

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """The gateway's key store."""
    return key_store(tmp_path)


@pytest.fixture
async def gateway(store: KeyStore, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an admin key of a gateway that requires keys."""
    _, admin = store.add("boss", "admin")
    async with client(TorchServeDouble(), auth="on", data_dir=tmp_path) as admin_client:
        admin_client.headers["Authorization"] = f"Bearer {admin}"
        yield admin_client


async def test_the_list_shows_all_but_secrets_and_digests(
    gateway: httpx.AsyncClient, store: KeyStore
) -> None:
    """The list has the metadata of each key, without its digest."""
    store.add("app", "user", "600/minute", 4)
    response = await gateway.get("/v1/admin/keys")
    first, second = response.json()["keys"]
    assert list(second) == ["id", "name", "role", "created_at", "rate", "concurrency"]
    assert (first["name"], first["role"], first["rate"]) == ("boss", "admin", None)
    assert (second["name"], second["rate"], second["concurrency"]) == ("app", "600/minute", 4)
    assert [key.digest for key in store.read() if key.digest in response.text] == []


async def test_a_key_that_was_made_works_at_once_and_is_shown_once(
    gateway: httpx.AsyncClient,
) -> None:
    """A new key works at once; its response is not cached, and no other response shows it."""
    fields = {"name": "app", "role": "user", "rate": "5/minute", "concurrency": 2}
    response = await gateway.post("/v1/admin/keys", json=fields)
    created = response.json()
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    assert {name: created[name] for name in fields} == fields
    assert created["key"].startswith(f"sgs_{created['id']}_")
    with_it = await gateway.get("/v1/models", headers={"Authorization": f"Bearer {created['key']}"})
    assert with_it.status_code == 200
    assert created["key"] not in (await gateway.get("/v1/admin/keys")).text


async def test_a_whole_number_may_have_a_point(gateway: httpx.AsyncClient) -> None:
    """In JSON, 4.0 is an integer."""
    created = await gateway.post("/v1/admin/keys", json={"name": "app", "concurrency": 4.0})
    assert created.json()["concurrency"] == 4


async def test_a_name_is_all_that_a_key_needs(gateway: httpx.AsyncClient) -> None:
    """The defaults are the role user and no limits of its own."""
    created = (await gateway.post("/v1/admin/keys", json={"name": "app"})).json()
    assert (created["role"], created["rate"], created["concurrency"]) == ("user", None, None)


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
async def test_an_invalid_body_is_a_422(
    gateway: httpx.AsyncClient, store: KeyStore, sent: dict[str, Any]
) -> None:
    """An invalid body, or one that a page could send without a preflight, makes no key."""
    response = await gateway.post("/v1/admin/keys", **sent)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert len(store.read()) == 1


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (
            gzip.compress(b'{"name":"x"}'),
            {"Content-Encoding": "gzip"},
            (415, "unsupported_encoding"),
        ),
        (b'{"name":"' + b"x" * 70_000 + b'"}', {}, (413, "image_too_large")),
        (b"[" * 60_000, {}, (422, "invalid_request")),
        (b"\xff\xfe{", {}, (422, "invalid_request")),
    ],
    ids=["gzip", "long", "deep", "not UTF-8"],
)
async def test_a_body_that_cannot_be_a_key_is_refused(
    gateway: httpx.AsyncClient, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    """Bodies are bounded and uncompressed, as on every other route; chunked ones too."""

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    for content in (body, chunks()):
        response = await gateway.post(
            "/v1/admin/keys",
            content=content,
            headers={"Content-Type": "application/json"} | headers,
        )
        assert (response.status_code, response.json()["code"]) == expected


async def test_a_revoked_key_is_refused_at_once(
    gateway: httpx.AsyncClient, store: KeyStore
) -> None:
    """The gateway that revoked a key refuses it at once."""
    key, presented = store.add("app", "user")
    response = await gateway.delete(f"/v1/admin/keys/{key.id}")
    assert (response.status_code, response.content) == (204, b"")
    refused = await gateway.get("/v1/models", headers={"Authorization": f"Bearer {presented}"})
    assert refused.status_code == 401


@pytest.mark.parametrize("identity", ["nope", "%00", "a%20b", "x" * 64])
async def test_an_unknown_key_is_a_404(gateway: httpx.AsyncClient, identity: str) -> None:
    """An unknown id of any form is a 404."""
    response = await gateway.delete(f"/v1/admin/keys/{identity}")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_an_id_without_end_is_a_422(gateway: httpx.AsyncClient) -> None:
    """The length of an id is limited."""
    response = await gateway.delete(f"/v1/admin/keys/{'x' * 5000}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_the_last_admin_stays(gateway: httpx.AsyncClient, store: KeyStore) -> None:
    """409: without the last admin key no key could be added."""
    (boss,) = store.read()
    store.add("app", "user")
    response = await gateway.delete(f"/v1/admin/keys/{boss.id}")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert boss in store.read()


async def test_a_database_that_is_away_is_a_503(
    gateway: httpx.AsyncClient, store: KeyStore
) -> None:
    """While the tables are gone, keys are neither listed nor made; the known ones go on."""
    store.database.downgrade("base")
    for response in (
        await gateway.get("/v1/admin/keys"),
        await gateway.post("/v1/admin/keys", json={"name": "app"}),
        await gateway.delete("/v1/admin/keys/0f3a2b1c4d5e"),
    ):
        assert (response.status_code, response.json()["code"]) == (503, "registry_unavailable")
        assert response.headers["Retry-After"] == "3"


async def test_the_audit_log_names_the_key_that_made_a_change(
    gateway: httpx.AsyncClient, store: KeyStore
) -> None:
    """Who made and who revoked a key."""
    created = (await gateway.post("/v1/admin/keys", json={"name": "app"})).json()
    await gateway.delete(f"/v1/admin/keys/{created['id']}")
    with store.database.reading() as connection:
        revoked, added = audit.entries(connection, limit=2)
    assert (added.actor, added.action, added.subject) == ("boss", "key.add", created["id"])
    assert (revoked.actor, revoked.action, revoked.subject) == ("boss", "key.revoke", created["id"])
