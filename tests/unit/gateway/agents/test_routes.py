"""The agents' routes: for the node token alone; junk is a 422; archives are verified."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.state import State
from tests.unit.gateway.agents.conftest import AGENT, TOKEN, report
from tests.unit.gateway.archives.zip_files import sound_archive
from tests.unit.gateway.doubles import MODEL, TorchServeDouble, settings

pytestmark = pytest.mark.anyio

BEAT = "/v1/agent/heartbeat"
ARCHIVE = sound_archive()
SHA = hashlib.sha256(ARCHIVE).hexdigest()
OFFER = {"model": MODEL, "version": "2.0", "sha256": SHA, "stable": False}
QUERY = {"model": MODEL, "version": "2.0", "stable": "false"}
ROUTES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", BEAT, {"json": report()}),
    ("GET", f"/v1/agent/archives/{SHA}", {}),
    ("POST", "/v1/agent/seeds", {"json": OFFER}),
    ("PUT", f"/v1/agent/seeds/{SHA}", {"params": QUERY, "content": ARCHIVE}),
]


@pytest.fixture
async def gateway(state: State) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with that state, which shows the token."""
    app = create_app(settings(), TorchServeDouble(), None, state)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers=AGENT
        ) as client,
    ):
        yield client


@pytest.mark.parametrize(("method", "path", "sent"), ROUTES, ids=lambda each: str(each)[:30])
@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer ",
        f"bearer {TOKEN}",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer ü",
    ],
)
async def test_nothing_happens_without_the_token(
    gateway: httpx.AsyncClient,
    state: State,
    method: str,
    path: str,
    sent: dict[str, Any],
    shown: str,
) -> None:
    """401, whatever else is right; nothing is kept."""
    headers = [(b"Authorization", shown.encode("latin-1"))]
    response = await gateway.request(method, path, headers=headers, **sent)
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert "node-token" in response.json()["detail"]
    assert TOKEN not in response.text
    assert state.fleet.fresh == {}


async def test_a_missing_token_is_a_wrong_one(gateway: httpx.AsyncClient) -> None:
    """No header at all."""
    del gateway.headers["Authorization"]
    assert (await gateway.post(BEAT, json=report())).status_code == 401


async def test_a_report_is_answered_with_what_should_be(
    gateway: httpx.AsyncClient, state: State
) -> None:
    """And the node is known at once."""
    response = await gateway.post(BEAT, json=report("node-1"))
    assert (response.status_code, response.json()) == (200, {"generation": 0, "models": {}})
    assert state.fleet.fresh["node-1"].token == "t0ken"


async def test_a_long_report_is_taken(gateway: httpx.AsyncClient, state: State) -> None:
    """A node with many versions that fail for long reasons is still heard; without an end, not."""
    failed = VERSION | {"state": "failed", "reason": "x" * 2000}
    many = {f"1.{number}": failed for number in range(300)}
    response = await gateway.post(BEAT, json=report("node-1", models={MODEL: many}))
    assert response.status_code == 200
    assert len(state.fleet.fresh["node-1"].models[MODEL]) == 300
    endless = {f"1.{number}": failed for number in range(600)}
    response = await gateway.post(BEAT, json=report("node-2", models={MODEL: endless}))
    assert response.status_code == 413
    response = await gateway.post(
        BEAT, json=report("node-2", models={MODEL: many}), headers={"Authorization": "Bearer x"}
    )
    assert response.status_code == 413
    assert set(state.fleet.fresh) == {"node-1"}


VERSION = report()["models"][MODEL]["1.0"]
JUNK: list[Any] = [
    None,
    [],
    "x",
    3,
    {},
    *(
        {name: each for name, each in report().items() if name != missing}
        for missing in ("node", "url", "generation", "models")
    ),
    report(node=""),
    report(node="a b"),
    report(node="../a"),
    report(node="x" * 65),
    report() | {"node": None},
    report(url="ftp://a"),
    report(url="http://a/path"),
    report(url="http://a b"),
    report(url="http://" + "a" * 400),
    report(url="http://a\r\nX: y"),
    report(token="a b"),
    report(token="a\r\nX: y"),
    report(token=3),
    report(generation=-1),
    report(generation="x"),
    report(free_memory_mb=-1),
    report(doing="x" * 301),
    report(models=[]),
    report(models={"a/b": {}}),
    report(models={MODEL: []}),
    report(models={MODEL: {"1/0": VERSION}}),
    report(models={MODEL: {"1.0": None}}),
    report(models={MODEL: {"1.0": {}}}),
    *(
        report(models={MODEL: {"1.0": VERSION | change}})
        for change in (
            {"state": "fine"},
            {"ready": -1},
            {"ready": 10_001},
            {"ready": "many"},
            {"ready": 1.5},
            {"wanted": None},
            {"sha256": "x" * 65},
            {"reason": ["x"]},
            {"reason": "x" * 2001},
            {"loaded_at": "x" * 65},
        )
    ),
]


@pytest.mark.parametrize("junk", JUNK, ids=lambda each: str(each)[:40])
async def test_junk_is_refused(gateway: httpx.AsyncClient, state: State, junk: Any) -> None:
    """One clear sentence; nothing is kept of it."""
    response = await gateway.post(BEAT, json=junk)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert state.fleet.fresh == {}


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 422), (b"{", 422), (b"\xff", 422), (b"[" * 1000, 422), (b"[" * 1_100_000, 413)],
)
async def test_what_is_no_json_is_refused(
    gateway: httpx.AsyncClient, content: bytes, status: int
) -> None:
    """Nor is a body without end read."""
    assert (await gateway.post(BEAT, content=content)).status_code == status


async def test_a_report_of_a_newer_agent_is_taken(gateway: httpx.AsyncClient) -> None:
    """Fields that this gateway does not know are left out."""
    response = await gateway.post(BEAT, json=report(more={"of": "it"}))
    assert response.status_code == 200


async def test_a_seed_is_asked_for_once_and_served_to_other_nodes(
    gateway: httpx.AsyncClient,
) -> None:
    """Byte for byte, with its size; it is stable, as nothing was."""
    offered = await gateway.post("/v1/agent/seeds", json=OFFER)
    assert offered.json() == {"needs_archive": True}
    received = await gateway.put(f"/v1/agent/seeds/{SHA}", params=QUERY, content=ARCHIVE)
    assert received.json() == {"needs_archive": False, "refusal": None}
    again = await gateway.post("/v1/agent/seeds", json=OFFER)
    assert again.json() == {"needs_archive": False, "refusal": None}
    wanted = (await gateway.post(BEAT, json=report())).json()["models"][MODEL]
    assert wanted["default"] == "2.0"
    assert wanted["versions"]["2.0"]["sha256"] == SHA
    response = await gateway.get(f"/v1/agent/archives/{SHA}")
    assert (response.status_code, response.content) == (200, ARCHIVE)
    assert response.headers["Content-Length"] == str(len(ARCHIVE))


@pytest.mark.parametrize(
    ("sha256", "status"),
    [("0" * 64, 404), ("A" * 64, 422), ("x", 422), (f"{'a' * 64}.mar", 422), ("%2e%2e%2fx", 404)],
)
async def test_an_unknown_archive_is_not_found(
    gateway: httpx.AsyncClient, sha256: str, status: int
) -> None:
    """404, or 422 for what is no digest."""
    assert (await gateway.get(f"/v1/agent/archives/{sha256}")).status_code == status


async def test_a_damaged_archive_is_not_served_whole(
    gateway: httpx.AsyncClient, state: State
) -> None:
    """The agent gets fewer bytes than the length says, and not the archive."""
    await gateway.put(f"/v1/agent/seeds/{SHA}", params=QUERY, content=ARCHIVE)
    (blob,) = [path for path in Path(state.archives.url).rglob("*") if path.is_file()]
    blob.chmod(0o600)
    blob.write_bytes(ARCHIVE[:-1] + b"x")
    try:
        response = await gateway.get(f"/v1/agent/archives/{SHA}")
        received = response.content
    except httpx.HTTPError:
        received = b""
    assert hashlib.sha256(received).hexdigest() != SHA
    assert len(received) < len(ARCHIVE)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "a/b"},
        {"version": "a b"},
        {"version": "x" * 33},
        {"sha256": "x"},
        {"stable": 7},
        {"model": None},
    ],
    ids=str,
)
async def test_an_offer_of_junk_is_refused(
    gateway: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    """422, as all that is malformed."""
    assert (await gateway.post("/v1/agent/seeds", json=OFFER | change)).status_code == 422


def test_the_routes_are_not_in_the_clients_document(state: State) -> None:
    """They are no part of the public API."""
    app = create_app(settings(), TorchServeDouble(), None, state)
    assert "/v1/agent" not in json.dumps(app.openapi())
