"""The routes of nodes and of the audit log."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gateway.registry import nodes
from gateway.registry.records import NodeRecord
from tests.unit.gateway.admin.conftest import MODEL, Running, add

pytestmark = pytest.mark.anyio

READY = {"state": "ready", "ready": 2, "wanted": 2, "reason": ""}


def _heard(running: Running, name: str, report: dict[str, Any], age_s: float = 0.0) -> None:
    """Keep a heartbeat, as a gateway does."""
    last_seen = datetime.now(UTC) - timedelta(seconds=age_s)
    database = running.database
    with database.writing(announced=False) as connection:
        nodes.heard(connection, NodeRecord(name, f"http://{name}:8080", last_seen, report))
    database.close()


async def test_nodes_are_listed_with_what_they_have(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """By name, with the age of their news and the state of each version."""
    report = {
        "free_memory_mb": 900,
        "doing": "loading deeplabv3 1.0",
        "models": {"deeplabv3": {"1.0": READY}},
    }
    _heard(running, "b", report)
    _heard(running, "a", {}, age_s=60)
    first, second = (await gateway.get("/v1/admin/nodes")).json()["items"]
    assert (first["name"], first["fresh"], first["versions"], first["doing"]) == (
        "a",
        False,
        [],
        None,
    )
    assert 59 < first["age_s"] < 70
    assert (second["fresh"], second["free_memory_mb"]) == (True, 900)
    assert second["doing"] == "loading deeplabv3 1.0"
    assert second["versions"] == [{"model": "deeplabv3", "version": "1.0"} | READY]


async def test_the_age_is_this_gateways_own_where_it_hears(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """What the gateway hears counts, not the clocks of machines."""
    _heard(running, "a", {}, age_s=3600)
    running.app.state.gateway_state.administration.fleet_view = lambda: {"a": 0.5}
    (node,) = (await gateway.get("/v1/admin/nodes")).json()["items"]
    assert (node["age_s"], node["fresh"]) == (0.5, True)


@pytest.mark.parametrize(
    "report",
    [
        {"models": 3, "free_memory_mb": "x", "doing": 5},
        {"models": {"deeplabv3": {"1.0": 3}}},
        {"models": {"deeplabv3": {"1.0": {"ready": "x", "state": None, "reason": 4}}}},
    ],
)
async def test_a_report_of_another_shape_is_no_failure(
    gateway: httpx.AsyncClient, running: Running, report: dict[str, Any]
) -> None:
    """What an agent of another version says and is not understood, is left out."""
    await add(gateway, "1.0")
    _heard(running, "a", report)
    assert (await gateway.get("/v1/admin/nodes")).status_code == 200
    assert (await gateway.get(f"{MODEL}/versions")).status_code == 200


async def test_a_version_shows_where_it_is(gateway: httpx.AsyncClient, running: Running) -> None:
    """Its state on nodes that were heard; silent ones are left out."""
    await add(gateway, "1.0")
    failed = {"state": "failed", "ready": 0, "wanted": 2, "reason": "no memory"}
    _heard(running, "a", {"models": {"deeplabv3": {"1.0": READY}}})
    _heard(running, "b", {"models": {"deeplabv3": {"1.0": failed}}})
    _heard(running, "c", {"models": {"deeplabv3": {"1.0": READY}}}, age_s=60)
    (version,) = (await gateway.get(f"{MODEL}/versions")).json()["items"]
    assert version["nodes"] == [{"node": "a"} | READY, {"node": "b"} | failed]


async def test_a_version_that_is_ready_nowhere_is_not_promoted(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """The gate looks at the nodes, where there are some."""
    await add(gateway, "1.0")
    failed = {"state": "failed", "ready": 0, "wanted": 2, "reason": "no memory"}
    _heard(running, "a", {"models": {"deeplabv3": {"1.0": failed}}})
    refused = await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    assert refused.json()["reasons"] == ["no node has a ready worker of 1.0"]
    _heard(running, "a", {"models": {"deeplabv3": {"1.0": READY}}})
    assert (await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})).status_code == 200


async def test_a_node_is_forgotten(gateway: httpx.AsyncClient, running: Running) -> None:
    """A node that is gone leaves the list, with an entry in the log; an unknown one is a 404."""
    _heard(running, "a", {})
    for etag in ('"1"', 'W/"1"', '"x", "1"'):
        headers = {"If-Match": etag}
        refused = await gateway.delete("/v1/admin/nodes/a", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    gone = await gateway.delete(
        "/v1/admin/nodes/a", params={"why": "sold"}, headers={"If-Match": "*"}
    )
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await gateway.get("/v1/admin/nodes")).json() == {"items": [], "next": None}
    entry = (await gateway.get("/v1/admin/audit")).json()["items"][0]
    assert (entry["action"], entry["subject"], entry["why"]) == ("node.forget", "a", "sold")
    assert (await gateway.delete("/v1/admin/nodes/a")).status_code == 404
    assert (await gateway.delete("/v1/admin/nodes/a%00")).status_code in (404, 422)


async def test_the_log_is_paged_and_survives_insertions(gateway: httpx.AsyncClient) -> None:
    """Newest first; what is added between two pages moves nothing."""
    await add(gateway, "1.0", "2.0", "3.0")
    params: dict[str, Any] = {"model": "deeplabv3", "limit": 2}
    first = (await gateway.get("/v1/admin/audit", params=params)).json()
    await add(gateway, "4.0")
    params["cursor"] = first["next"]
    second = (await gateway.get("/v1/admin/audit", params=params)).json()
    subjects = [each["subject"] for each in first["items"] + second["items"]]
    assert (subjects, second["next"]) == (["3.0", "2.0", "1.0"], None)
    other = await gateway.get("/v1/admin/audit", params={"model": "other"})
    assert other.json() == {"items": [], "next": None}


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


FOREIGN_CURSORS: list[str] = [
    "",
    "x",
    "....",
    "A" * 401,
    "a b",
    "%00",
    _cursor("[]"),
    _cursor("{}"),
    _cursor("3"),
    _cursor('["x"'),
    _cursor("[true]"),
    _cursor("[1.5]"),
    _cursor("[-1]"),
    _cursor("[NaN]"),
    _cursor("[" + "9" * 200 + "]"),
    _cursor("[1, 2, 3]"),
    _cursor('["1", 2]'),
    _cursor("[" * 200),
]


async def test_a_cursor_of_another_list_is_a_422(gateway: httpx.AsyncClient) -> None:
    """Whatever it is, it is refused in one line, by every list."""
    await add(gateway, "1.0")
    for cursor in FOREIGN_CURSORS:
        for path in (
            "/v1/admin/audit",
            "/v1/admin/models",
            f"{MODEL}/versions",
            f"{MODEL}/versions/1.0/evaluations",
        ):
            response = await gateway.get(path, params={"cursor": cursor})
            assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), path


BAD_LIMITS: list[str] = ["0", "201", "-1", "x", "1.5", "9" * 400, ""]


async def test_a_limit_is_from_1_to_200(gateway: httpx.AsyncClient) -> None:
    """A limit that is none is a 422."""
    for limit in BAD_LIMITS:
        for path in ("/v1/admin/audit", "/v1/admin/models", "/v1/admin/nodes"):
            response = await gateway.get(path, params={"limit": limit})
            assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
