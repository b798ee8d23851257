"""The routes of evaluations, promotion, roll-back and the comparison with the shadow."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gateway.registry.measurements import shadow_hours
from gateway.registry.promotion import Behaviour
from gateway.registry.records import ShadowHour
from tests.unit.gateway.admin.conftest import DIGEST, MODEL, Running, add, evaluate, hear

pytestmark = pytest.mark.anyio

EVALUATIONS = f"{MODEL}/versions/1.0/evaluations"


async def _stable(gateway: httpx.AsyncClient) -> str | None:
    aliases: dict[str, str] = (await gateway.get(MODEL)).json()["aliases"]
    return aliases.get("stable")


async def test_a_version_that_is_better_is_promoted(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """The gate is open: the answer has the verdict, and the model after it."""
    await add(gateway, "1.0", evaluated=0.7)
    await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    await add(gateway, "2.0", evaluated=0.75)
    hear(running.folder, "1.0", "2.0")
    body = {"version": "2.0", "why": "better"}
    promoted = await gateway.post(f"{MODEL}/promote", json=body)
    answer = promoted.json()
    assert promoted.status_code == 200, promoted.text
    assert (answer["version"], answer["former"], answer["forced"]) == ("2.0", "1.0", False)
    assert answer["verdict"]["passed"] is True
    assert answer["verdict"]["reasons"] == []
    assert "mean IoU 0.7500 on voc, stable has 0.7000" in answer["verdict"]["findings"]
    assert answer["model"] == (await gateway.get(MODEL)).json()
    assert promoted.headers["ETag"] == f'"{answer["model"]["etag"]}"'
    entry = (await gateway.get("/v1/admin/audit")).json()["items"][0]
    assert (entry["action"], entry["actor"], entry["why"]) == ("promote", running.actor, "better")


async def test_the_first_version_needs_no_comparison(gateway: httpx.AsyncClient) -> None:
    """Nothing is stable yet that it could be worse than."""
    await add(gateway, "1.0")
    promoted = await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    assert promoted.status_code == 200
    assert promoted.json()["verdict"]["unknown"] != []
    assert await _stable(gateway) == "1.0"


async def test_a_closed_gate_says_why(gateway: httpx.AsyncClient) -> None:
    """409 with the reasons, for people and for programs; stable is untouched."""
    await add(gateway, "1.0", evaluated=0.7)
    await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    await add(gateway, "2.0", evaluated=0.6)
    refused = await gateway.post(f"{MODEL}/promote", json={"version": "2.0"})
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "gate_closed")
    assert "mean IoU 0.6000 on voc, stable has 0.7000" in problem["reasons"]
    assert all(reason in problem["detail"] for reason in problem["reasons"])
    assert await _stable(gateway) == "1.0"


async def test_a_forced_promotion_needs_a_reason(gateway: httpx.AsyncClient) -> None:
    """Without why it is a 422; with it, the closed gate is overruled and logged."""
    await add(gateway, "1.0", "2.0")
    await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    for why in ("", "   "):
        body = {"version": "2.0", "force": True, "why": why}
        refused = await gateway.post(f"{MODEL}/promote", json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    forced = await gateway.post(
        f"{MODEL}/promote", json={"version": "2.0", "force": True, "why": "urgent"}
    )
    assert (forced.status_code, forced.json()["forced"]) == (200, True)
    assert await _stable(gateway) == "2.0"


async def test_a_canary_without_figures_is_not_promoted(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """By its alias: evaluated, but its errors are not known; when they are, it passes."""
    await add(gateway, "1.0", evaluated=0.7)
    await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    await add(gateway, "2.0", evaluated=0.7)
    hear(running.folder, "1.0", "2.0")
    await gateway.patch(f"{MODEL}/traffic", json={"canary": {"version": "2.0", "percent": 5}})
    refused = await gateway.post(f"{MODEL}/promote", json={"version": "canary"})
    assert refused.json()["reasons"] == ["the canary's errors and latency are not known yet"]
    administration = running.app.state.gateway_state.administration
    administration.behaviour = lambda *_: (Behaviour(500, 0, 21.0), Behaviour(900, 0, 20.0))
    promoted = await gateway.post(f"{MODEL}/promote", json={"version": "canary"})
    assert promoted.status_code == 200, promoted.text
    assert promoted.json()["verdict"]["unknown"] == [
        "no golden masks in the archive: it was not built by this Segserve",
    ]
    assert promoted.json()["model"]["aliases"] == {"stable": "2.0"}


async def test_a_version_that_users_would_miss_is_not_promoted(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """No node was heard, or one that should have the version has not: the reason names it."""
    await add(gateway, "1.0", "2.0", evaluated=0.7)
    await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})

    async def reasons() -> list[str]:
        refused = await gateway.post(f"{MODEL}/promote", json={"version": "2.0"})
        found: list[str] = refused.json().get("reasons", [])
        return found

    assert await reasons() == ["no node was heard: whether the version can be loaded is not known"]
    hear(running.folder, "1.0", "2.0", node="a")
    hear(running.folder, "1.0", node="b")
    assert await reasons() == ["2.0 on b: not there yet"]
    hear(running.folder, "1.0", "2.0", node="b", state="loading")
    assert await reasons() == ["2.0 on b: loading"]
    await gateway.put(f"{MODEL}/versions/2.0/placement", json={"workers": 0, "node": "b"})
    assert await reasons() == []
    assert await _stable(gateway) == "2.0"


async def test_a_canary_that_was_rolled_back_is_not_promoted(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """Until another version is stable; the reason is that of the roll-back."""
    await add(gateway, "1.0", "2.0", evaluated=0.7)
    hear(running.folder, "1.0", "2.0")
    await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    await gateway.patch(f"{MODEL}/traffic", json={"canary": {"version": "2.0", "percent": 5}})
    state = running.app.state.gateway_state
    await state.roll_back_canary("deeplabv3", "2.0", "9 % failed")
    await gateway.delete(f"{MODEL}/aliases/canary")
    refused = await gateway.post(f"{MODEL}/promote", json={"version": "2.0"})
    (reason,) = refused.json()["reasons"]
    assert reason.startswith("it was rolled back by itself as canary at ")
    assert reason.endswith(": 9 % failed")
    forced = {"force": True, "why": "it was the node"}
    for version in ("2.0", "1.0"):
        await gateway.post(f"{MODEL}/promote", json={"version": version, **forced})
    assert (await gateway.post(f"{MODEL}/promote", json={"version": "2.0"})).status_code == 200


async def test_what_is_stable_already_stays(gateway: httpx.AsyncClient) -> None:
    """A promotion that is repeated is no change."""
    await add(gateway, "1.0")
    first = await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    again = await gateway.post(f"{MODEL}/promote", json={"version": "stable"})
    assert (again.status_code, again.headers["ETag"]) == (200, first.headers["ETag"])


async def test_a_retired_or_unknown_version_is_not_promoted(gateway: httpx.AsyncClient) -> None:
    """404 and 409, also if it is forced."""
    await add(gateway, "1.0", "2.0")
    await gateway.delete(f"{MODEL}/versions/2.0")
    for version, status in (("2.0", 409), ("9.9", 404), ("canary", 404)):
        body = {"version": version, "force": True, "why": "x"}
        assert (await gateway.post(f"{MODEL}/promote", json=body)).status_code == status


async def test_a_roll_back_leads_to_the_version_before(gateway: httpx.AsyncClient) -> None:
    """One request; a second has nowhere to go."""
    await add(gateway, "1.0", "2.0")
    for version in ("1.0", "2.0"):
        body = {"version": version, "force": True, "why": "x"}
        await gateway.post(f"{MODEL}/promote", json=body)
    rolled = await gateway.post(f"{MODEL}/rollback", json={"why": "cracks"})
    assert (rolled.status_code, rolled.json()["aliases"]) == (200, {"stable": "1.0"})
    entry = (await gateway.get("/v1/admin/audit")).json()["items"][0]
    assert (entry["action"], entry["before"], entry["after"], entry["why"]) == (
        "rollback",
        "2.0",
        "1.0",
        "cracks",
    )
    assert (await gateway.post(f"{MODEL}/rollback", json={})).status_code == 409


async def test_a_repeated_roll_back_is_done_once(gateway: httpx.AsyncClient) -> None:
    """With an Idempotency-Key a retry gets the first answer, and rolls back no further."""
    await add(gateway, "1.0", "2.0", "3.0")
    for version in ("1.0", "2.0", "3.0"):
        body = {"version": version, "force": True, "why": "x"}
        await gateway.post(f"{MODEL}/promote", json=body)
    headers = {"Idempotency-Key": "undo"}
    requests = [gateway.post(f"{MODEL}/rollback", json={}, headers=headers) for _ in range(5)]
    answers = await asyncio.gather(*requests)
    assert [each.json()["aliases"] for each in answers] == [{"stable": "2.0"}] * 5
    assert len({(each.status_code, each.headers["ETag"], each.content) for each in answers}) == 1
    other = await gateway.post(f"{MODEL}/rollback", json={"why": "y"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "invalid_request")
    assert await _stable(gateway) == "2.0"


BAD_KEYS: list[str] = ["", "a b", "ä", "x" * 256, "\x7f"]


async def test_a_bad_idempotency_key_is_a_422(gateway: httpx.AsyncClient) -> None:
    """A key is 1 to 255 visible characters."""
    await add(gateway, "1.0")
    for key in BAD_KEYS:
        headers = {"Idempotency-Key": key.encode("latin-1")}
        response = await gateway.post(f"{MODEL}/rollback", json={}, headers=headers)  # type: ignore[arg-type]
        assert response.status_code == 422


async def test_evaluations_are_kept_and_paged(gateway: httpx.AsyncClient, running: Running) -> None:
    """The newest first; pages survive insertions."""
    await add(gateway, "1.0", "2.0")
    for number in range(3):
        kept = await evaluate(gateway, "1.0", number / 10)
        assert (kept.status_code, kept.json()["created_by"]) == (201, running.actor)
    await evaluate(gateway, "2.0", 0.9)
    first = (await gateway.get(EVALUATIONS, params={"limit": 2})).json()
    await evaluate(gateway, "1.0", 0.9)
    second = (await gateway.get(EVALUATIONS, params={"limit": 2, "cursor": first["next"]})).json()
    mious = [each["figures"]["miou"] for each in first["items"] + second["items"]]
    assert (mious, second["next"]) == ([0.2, 0.1, 0.0], None)
    assert (await gateway.get(f"{MODEL}/versions/9.9/evaluations")).status_code == 404


def _deep(levels: int) -> dict[str, Any]:
    return {"x": _deep(levels - 1)} if levels else {}


BAD_FIGURES: list[bytes] = [
    b"[]",
    b"3",
    b"null",
    b'{"miou": NaN}',
    b'{"miou": 1e999}',
    b'{"per_class": {"cat": [Infinity]}}',
    b'{"a\\u0000": 1}',
    b'{"a": "\\ud800"}',
    json.dumps(_deep(9)).encode(),
    json.dumps(_deep(500)).encode(),
    b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}",
]


async def test_figures_that_cannot_be_kept_are_refused(gateway: httpx.AsyncClient) -> None:
    """NaN, deep nesting and characters that a database cannot keep are a 422."""
    await add(gateway, "1.0")
    for figures in BAD_FIGURES:
        body = b'{"data_name": "voc", "data_digest": "%s", "figures": %s}' % (
            DIGEST.encode(),
            figures,
        )
        headers = {"Content-Type": "application/json"}
        response = await gateway.post(EVALUATIONS, content=body, headers=headers)
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), (
            response.request.url
        )
        assert (await gateway.get(EVALUATIONS)).json()["items"] == []


@pytest.mark.parametrize(
    "figures", [{}, {"miou": 10**400}, {"miou": "high"}, {"miou": True}, {"per_class": [1]}]
)
async def test_odd_figures_are_kept_and_close_the_gate(
    gateway: httpx.AsyncClient, running: Running, figures: dict[str, Any]
) -> None:
    """Figures of another program are kept; without a mean IoU they prove nothing."""
    await add(gateway, "1.0", evaluated=0.7)
    await gateway.post(f"{MODEL}/promote", json={"version": "1.0"})
    await add(gateway, "2.0")
    hear(running.folder, "1.0", "2.0")
    body = {"data_name": "voc", "data_digest": DIGEST, "figures": figures}
    kept = await gateway.post(f"{MODEL}/versions/2.0/evaluations", json=body)
    assert (kept.status_code, kept.json()["figures"]) == (201, figures)
    listed = await gateway.get(f"{MODEL}/versions")
    assert listed.json()["items"][1]["evaluations"][0]["miou"] is None
    refused = await gateway.post(f"{MODEL}/promote", json={"version": "2.0"})
    assert refused.json()["reasons"] == ["an evaluation on voc has no mean IoU"]


async def test_the_shadow_is_compared(gateway: httpx.AsyncClient, running: Running) -> None:
    """Sums of the hours become shares and means, in sum and for each hour."""
    await add(gateway, "1.0", "2.0")
    now = datetime.now(UTC)
    database = running.database
    for age, images, agreeing in ((0, 1, 80), (1, 3, 240), (100, 9, 0)):
        sums = ShadowHour(
            "deeplabv3",
            "1.0",
            "2.0",
            now - timedelta(hours=age),
            images=images,
            failed=1,
            pixels=100 * images,
            agreeing=agreeing,
            classes={1: (10 * images, 40 * images), 2: (0, 0)},
            stable_ms=20.0 * images,
            shadow_ms=30.0 * images,
        )
        with database.writing(announced=False) as connection:
            shadow_hours.add(connection, sums)
    database.close()
    comparison = (await gateway.get(f"{MODEL}/shadow", params={"hours": 2})).json()
    (pair,) = comparison["pairs"]
    hours = pair.pop("hours")
    assert pair == {
        "stable": "1.0",
        "shadow": "2.0",
        "images": 4,
        "failed": 2,
        "agreement": 0.8,
        "classes": [
            {"id": 1, "name": "cat", "iou": 0.25},
            {"id": 2, "name": "dog", "iou": None},
        ],
        "stable_ms": 20.0,
        "shadow_ms": 30.0,
    }
    assert [each["images"] for each in hours] == [1, 3]


BAD_HOURS: list[str] = ["0", "721", "x", "-1", "1e3", "9" * 400]


async def test_hours_are_a_number(gateway: httpx.AsyncClient) -> None:
    """A wrong number of hours is a 422."""
    await add(gateway, "1.0")
    for hours in BAD_HOURS:
        response = await gateway.get(f"{MODEL}/shadow", params={"hours": hours})
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), (
            response.request.url
        )
