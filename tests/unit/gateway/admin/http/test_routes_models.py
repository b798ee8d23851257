"""The routes of models: aliases, traffic, placements, and two admins at once."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.unit.gateway.admin.conftest import MODEL, Running, add

pytestmark = pytest.mark.anyio


async def _last_change(gateway: httpx.AsyncClient) -> dict[str, Any]:
    items: list[dict[str, Any]] = (await gateway.get("/v1/admin/audit")).json()["items"]
    return items[0]


async def test_an_alias_names_a_version(gateway: httpx.AsyncClient, running: Running) -> None:
    """The model's new state is the answer; the log has the actor and the reason."""
    await add(gateway, "1.0", "2.0")
    await gateway.put(f"{MODEL}/aliases/next", json={"version": "1.0"})
    body = {"version": "2.0", "why": "a try"}
    changed = await gateway.put(f"{MODEL}/aliases/next", json=body)
    assert changed.status_code == 200
    assert changed.json()["aliases"] == {"next": "2.0"}
    assert changed.json() == (await gateway.get(MODEL)).json()
    entry = await _last_change(gateway)
    del entry["id"], entry["at"]
    assert entry == {
        "actor": running.actor,
        "action": "alias.set",
        "model": "deeplabv3",
        "subject": "next",
        "before": "1.0",
        "after": "2.0",
        "why": "a try",
    }


async def test_an_alias_is_removed(gateway: httpx.AsyncClient) -> None:
    """An alias goes with its reason; stable stays, and an unknown one is a 404."""
    await add(gateway, "1.0")
    await gateway.put(f"{MODEL}/aliases/next", json={"version": "1.0"})
    await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    removed = await gateway.delete(f"{MODEL}/aliases/next", params={"why": "done"})
    assert (removed.status_code, removed.json()["aliases"]) == (200, {"stable": "1.0"})
    assert (await _last_change(gateway))["why"] == "done"
    assert (await gateway.delete(f"{MODEL}/aliases/next")).status_code == 404
    assert (await gateway.delete(f"{MODEL}/aliases/stable")).status_code == 409


@pytest.mark.parametrize(
    ("alias", "version", "status"),
    [
        ("next", "9.9", 404),
        ("1.0", "1.0", 409),
        ("all", "1.0", 422),
        (".x", "1.0", 422),
        ("a b", "1.0", 422),
        ("next", "../1.0", 422),
        ("next", "", 422),
    ],
)
async def test_an_alias_that_cannot_be_is_refused(
    gateway: httpx.AsyncClient, alias: str, version: str, status: int
) -> None:
    """Unknown versions, names of versions and bad names; nothing changes."""
    await add(gateway, "1.0")
    before = (await gateway.get(MODEL)).json()
    refused = await gateway.put(f"{MODEL}/aliases/{alias}", json={"version": version})
    assert (refused.status_code, refused.json()["status"]) == (status, status)
    assert (await gateway.get(MODEL)).json() == before


async def test_the_second_of_two_admins_is_refused(gateway: httpx.AsyncClient) -> None:
    """Both base their change on the same ETag: one is done, the other is a 412."""
    await add(gateway, "1.0", "2.0")
    etag = (await gateway.get(MODEL)).headers["ETag"]
    changes = [
        gateway.put(f"{MODEL}/aliases/next", json={"version": version}, headers={"If-Match": etag})
        for version in ("1.0", "2.0")
    ]
    answers = await asyncio.gather(*changes)
    assert sorted(each.status_code for each in answers) == [200, 412]
    (refused,) = [each.json() for each in answers if each.status_code == 412]
    assert refused["code"] == "precondition_failed"
    (done,) = [each for each in answers if each.status_code == 200]
    assert (await gateway.get(MODEL)).headers["ETag"] == done.headers["ETag"] != etag


CHANGES: list[tuple[str, str, object]] = [
    ("PUT", "/aliases/next", {"version": "1.0"}),
    ("DELETE", "/aliases/next", None),
    ("PATCH", "/traffic", {"canary": {"version": "2.0", "percent": 1}}),
    ("PATCH", "/traffic", {}),
    ("PUT", "/versions/1.0/placement", {"workers": 1}),
    ("PUT", "/versions/1.0/placement", {"workers": None}),
    ("DELETE", "/versions/1.0/placement", None),
    ("DELETE", "/versions/2.0", None),
    ("POST", "/promote", {"version": "2.0", "force": True, "why": "x"}),
    ("POST", "/promote", {"version": "2.0"}),
    ("POST", "/promote", {"version": "1.0"}),
    ("POST", "/rollback", {}),
    (
        "POST",
        "/versions/1.0/evaluations",
        {"data_name": "x", "data_digest": "a" * 64, "figures": {}},
    ),
]


async def test_every_change_takes_if_match(gateway: httpx.AsyncClient) -> None:
    """A former, weak or foreign ETag is a 412, and what is none a 422; nothing changes."""
    await add(gateway, "1.0", "2.0")
    await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    before = (await gateway.get(MODEL)).json()
    for method, path, body in CHANGES:
        url = f"{MODEL}{path}"
        current = before["etag"]
        foreign = ('"0"', f'W/"{current}"', f'"0{current}"', f'"{"9" * 400}"', '"abc", "0"', '""')
        for etag, status in (*((each, 412) for each in foreign), ("x", 422), ('"1" "2"', 422)):
            refused = await gateway.request(method, url, json=body, headers={"If-Match": etag})
            assert refused.status_code == status, (etag, refused.text)
        assert (await gateway.get(MODEL)).json() == before


async def test_one_of_several_etags_is_enough(gateway: httpx.AsyncClient) -> None:
    """A list, with foreign and weak ones in it; * is any."""
    await add(gateway, "1.0")
    for listed in ('"x", {}', '{},"0"', 'W/"9" ,\t{}', "*"):
        etag = (await gateway.get(MODEL)).headers["ETag"]
        headers = {"If-Match": listed.format(etag)}
        body = {"version": "1.0"}
        done = await gateway.put(f"{MODEL}/aliases/next", json=body, headers=headers)
        assert done.status_code == 200, done.text


async def test_only_the_models_state_has_its_etag(gateway: httpx.AsyncClient) -> None:
    """Nodes, evaluations and comparisons change without it, and so their answers have none."""
    await add(gateway, "1.0", evaluated=0.7)
    for path in ("/versions", "/versions/1.0", "/versions/1.0/evaluations", "/shadow"):
        assert "ETag" not in (await gateway.get(f"{MODEL}{path}")).headers
    assert "ETag" in (await gateway.get(MODEL)).headers


async def test_stable_has_no_side_door(gateway: httpx.AsyncClient) -> None:
    """An alias cannot pass the gate by, and stable itself is no canary or shadow of its own."""
    await add(gateway, "1.0", "2.0")
    refused = await gateway.put(f"{MODEL}/aliases/stable", json={"version": "1.0"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "promote" in refused.json()["detail"]
    await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    before = (await gateway.get(MODEL)).json()
    for alias in ("canary", "shadow"):
        for percent in (0, 5):
            body = {alias: {"version": "1.0", "percent": percent}}
            own = await gateway.patch(f"{MODEL}/traffic", json=body)
            assert (own.status_code, own.json()["code"]) == (409, "conflict")
        put = await gateway.put(f"{MODEL}/aliases/{alias}", json={"version": "1.0"})
        assert put.status_code == 409
    assert (await gateway.get(MODEL)).json() == before


async def test_traffic_is_changed_as_a_whole(gateway: httpx.AsyncClient) -> None:
    """Aliases, shares and limits in one request; percent 0 keeps the alias, null removes it."""
    await add(gateway, "1.0", "2.0", "3.0")
    etag = (await gateway.get(MODEL)).headers["ETag"]
    body = {
        "canary": {"version": "2.0", "percent": 10},
        "shadow": {"version": "3.0", "percent": 100.0},
        "limits": {"error_percent": 2, "latency_ms": None},
        "why": "a first try",
    }
    changed = await gateway.patch(f"{MODEL}/traffic", json=body, headers={"If-Match": etag})
    state = changed.json()
    assert changed.status_code == 200, changed.text
    assert state["aliases"] == {"canary": "2.0", "shadow": "3.0"}
    assert (state["canary_percent"], state["shadow_percent"]) == (10, 100)
    assert state["limits"] == {"error_percent": 2, "latency_ms": None}
    entries = (await gateway.get("/v1/admin/audit")).json()["items"][:3]
    assert {each["why"] for each in entries} == {"a first try"}
    kept = (await gateway.patch(f"{MODEL}/traffic", json={"canary": {"percent": 0}})).json()
    assert (kept["aliases"]["canary"], kept["canary_percent"]) == ("2.0", 0)
    assert (kept["shadow_percent"], kept["limits"]) == (100, state["limits"])
    nulls = {"canary": None, "shadow": None, "limits": None}
    gone = (await gateway.patch(f"{MODEL}/traffic", json=nulls)).json()
    assert (gone["aliases"], gone["shadow_percent"], gone["limits"]) == ({}, 0, {})
    assert (await gateway.patch(f"{MODEL}/traffic", json=nulls)).status_code == 200


async def test_traffic_that_fails_in_part_changes_nothing(gateway: httpx.AsyncClient) -> None:
    """A share of a shadow that is not there undoes the canary of the same request."""
    await add(gateway, "1.0", "2.0")
    before = (await gateway.get(MODEL)).json()
    body = {"canary": {"version": "2.0", "percent": 10}, "shadow": {"percent": 5}}
    refused = await gateway.patch(f"{MODEL}/traffic", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert (await gateway.get(MODEL)).json() == before


JUNK: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"3",
    b"[" * 30_000,
    b"\xff\xfe",
    b'{"canary": 5}',
    b'{"canary": {}}',
    b'{"canary": {"percent": 101}}',
    b'{"canary": {"percent": -1}}',
    b'{"canary": {"percent": "5"}}',
    b'{"canary": {"percent": true}}',
    b'{"canary": {"percent": 5.5}}',
    b'{"canary": {"percent": NaN}}',
    b'{"canary": {"percent": 1e400}}',
    b'{"canary": {"percent": ' + b"9" * 5000 + b"}}",
    b'{"canary": {"percent": 5, "version": "../x"}}',
    b'{"canary": {"percent": 5, "version": 2.0}}',
    b'{"canary": {"percent": 5, "more": 1}}',
    b'{"shadow": {"percent": null}}',
    b'{"limits": {"window_s": 0}}',
    b'{"limits": {"window_s": NaN}}',
    b'{"limits": {"window_s": Infinity}}',
    b'{"limits": {"window_s": null}}',
    b'{"limits": {"error_percent": "5"}}',
    b'{"limits": {"errors": 5}}',
    b'{"limits": []}',
    b'{"why": 3}',
    b'{"why": "a\\u0000b"}',
    b'{"why": "\\ud800"}',
    b'{"why": "' + b"x" * 1001 + b'"}',
    b'{"percent": 5}',
]


async def test_junk_is_a_422_and_changes_nothing(gateway: httpx.AsyncClient) -> None:
    """Malformed JSON, unknown fields, wrong types and numbers that are none."""
    await add(gateway, "1.0")
    await gateway.put(f"{MODEL}/aliases/canary", json={"version": "1.0"})
    before = (await gateway.get(MODEL)).json()
    for body in JUNK:
        headers = {"Content-Type": "application/json"}
        refused = await gateway.patch(f"{MODEL}/traffic", content=body, headers=headers)
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (422, "invalid_request"), body
        assert (await gateway.get(MODEL)).json() == before


async def test_workers_are_placed_and_unplaced(gateway: httpx.AsyncClient) -> None:
    """On every node, on one, and back to what nodes have by default."""
    await add(gateway, "1.0")
    url = f"{MODEL}/versions/1.0/placement"
    await gateway.put(url, json={"workers": 2})
    placed = await gateway.put(url, json={"workers": 0, "node": "gpu-1"})
    assert placed.json()["placements"] == [
        {"version": "1.0", "node": "*", "workers": 2},
        {"version": "1.0", "node": "gpu-1", "workers": 0},
    ]
    ended = await gateway.put(url, json={"workers": None})
    assert [each["node"] for each in ended.json()["placements"]] == ["gpu-1"]
    assert (await gateway.put(url, json={"workers": None})).status_code == 200
    gone = await gateway.delete(url, params={"node": "gpu-1"})
    assert gone.json()["placements"] == []
    assert (await gateway.delete(url, params={"node": "gpu-1"})).status_code == 404
    assert (await gateway.delete(url)).status_code == 404


BAD_PLACEMENTS: list[dict[str, Any]] = [
    {},
    {"workers": -1},
    {"workers": 1001},
    {"workers": "2"},
    {"workers": 2.5},
    {"workers": True},
    {"workers": 1, "node": "a/b"},
    {"workers": 1, "node": ".."},
    {"workers": 1, "node": "**"},
    {"workers": 1, "node": None},
    {"workers": 1, "gpu": 1},
]


async def test_a_bad_placement_is_a_422(gateway: httpx.AsyncClient) -> None:
    """Numbers and nodes are checked before anything changes."""
    await add(gateway, "1.0")
    for body in BAD_PLACEMENTS:
        refused = await gateway.put(f"{MODEL}/versions/1.0/placement", json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), body


async def test_a_model_that_is_not_there_is_a_404(gateway: httpx.AsyncClient) -> None:
    """For reads and for changes, with one line."""
    other = "/v1/admin/models/other"
    version = {"version": "1.0"}
    answers = [
        await gateway.get(other),
        await gateway.get(f"{other}/versions"),
        await gateway.get(f"{other}/versions/1.0"),
        await gateway.get(f"{other}/shadow"),
        await gateway.put(f"{other}/aliases/next", json=version),
        await gateway.patch(f"{other}/traffic", json={}),
        await gateway.put(f"{other}/versions/1.0/placement", json={"workers": 1}),
        await gateway.post(f"{other}/promote", json=version),
        await gateway.post(f"{other}/rollback", json={}),
    ]
    assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "not_found")}
    listed = (await gateway.get("/v1/admin/models")).json()
    assert listed == {"items": [], "next": None}


async def test_this_gateway_routes_by_a_change_at_once(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """The answer comes after the snapshot is renewed."""
    await add(gateway, "1.0")
    state = running.app.state.gateway_state
    await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    assert state.follower.snapshot.models["deeplabv3"].aliases == {"stable": "1.0"}
