"""The trial of a canary: what counts as its failure, and how it compares with stable."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.registry.promotion import Behaviour
from gateway.registry.snapshot import ModelState
from gateway.traffic.rollback import MOST_REQUESTS
from gateway.traffic.trial import Trial
from tests.unit.gateway.doubles import (
    TorchServeDouble,
    application,
    json_response,
    mask_response,
    send,
)

pytestmark = pytest.mark.anyio

EARLY = {"code": "deadline_exceeded", "detail": "The tiles would take too long."}
FAILED = {"code": "model_unavailable", "detail": "It computed NaN."}


class Gateway:
    """A gateway whose clients are all on the canary's side."""

    def __init__(self, **changes: Any) -> None:
        self.torchserve = TorchServeDouble()
        self.torchserve.versions = {"1.0": 1, "2.0": 1}
        self.torchserve.aliases, self.torchserve.canary_percent = {"canary": "2.0"}, 100
        self._app = application(self.torchserve, **changes)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of it, once the trial has begun."""
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with (
            self._app.router.lifespan_context(self._app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            async with asyncio.timeout(5):
                while self.canary is None:
                    await asyncio.sleep(0.01)
            yield client

    @property
    def canary(self) -> tuple[int, int] | None:
        """Requests and failures of the canary, as the gate sees them."""
        known = self._app.state.gateway_state.administration.behaviour
        pair: tuple[Behaviour, Behaviour] | None = known("deeplabv3", "2.0", "1.0")
        return pair and (pair[0].requests, pair[0].failed)


async def _hang(_: httpx.Request) -> httpx.Response:
    await asyncio.sleep(60)
    return mask_response()


async def test_a_canary_that_hangs_has_failed() -> None:
    """The gateway's own deadline is its failure, and one in the metrics."""
    gateway = Gateway(deadline_s=0.2)
    gateway.torchserve.predict = _hang
    async with gateway.running() as client:
        response = await send(client)
        lines = (await client.get("/metrics")).text.splitlines()
    assert (response.status_code, response.headers["X-Model-Version"]) == (504, "2.0")
    assert gateway.canary == (1, 1)
    counted = [each for each in lines if each.startswith("segserve_image") and "deadline" in each]
    assert any('version="2.0"' in each and each.endswith(" 1.0") for each in counted), counted


async def test_a_wait_for_a_slot_is_no_failure_of_the_canary() -> None:
    """Nor is one that got the slot of the first in its last moment."""
    gateway = Gateway(deadline_s=0.3, max_concurrency=1)
    gateway.torchserve.predict = _hang
    async with gateway.running() as client:
        responses = await asyncio.gather(*[send(client) for _ in range(3)])
    assert {each.status_code for each in responses} == {504}
    assert gateway.canary == (1, 1)


@pytest.mark.parametrize(
    ("status", "answer", "counted"),
    [(504, EARLY, (0, 0)), (503, FAILED, (1, 1)), (422, {"code": "unreadable_image"}, (0, 0))],
)
async def test_what_the_client_chose_is_no_failure_of_the_canary(
    status: int, answer: dict[str, str], counted: tuple[int, int]
) -> None:
    """Tiles that would take too long are refused early, for no fault of the version."""
    gateway = Gateway()

    async def refuse(_: httpx.Request) -> httpx.Response:
        return json_response(status, answer)

    gateway.torchserve.predict = refuse
    async with gateway.running() as client:
        assert (await send(client)).status_code == status
    assert gateway.canary == counted


async def test_only_requests_that_name_no_version_count() -> None:
    """Whoever names a version is none of those that the canary is tried on."""
    gateway = Gateway()
    async with gateway.running() as client:
        for params in ({}, {"version": "2.0"}, {"version": "canary"}):
            assert (await send(client, params=params)).status_code == 200
    assert gateway.canary == (1, 0)


async def _nothing(_model: str, _canary: str, _reason: str) -> None:
    raise AssertionError("there is no reason to roll back")


async def test_both_versions_are_compared_in_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a busy stable version fewer seconds are kept: those of the canary count too."""
    state = ModelState("m", 1, "", 10, 0, {}, {}, {"stable": "1.0", "canary": "2.0"})
    trial = Trial(lambda: state, _nothing)
    await trial.judge()
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(50):
        trial.answered("2.0", 9.0)
    now = 1100.0
    for _ in range(MOST_REQUESTS):
        now += 0.001
        trial.answered("1.0", 0.01)
    trial.answered("2.0", 0.01)
    both = trial.behaviour("m", "2.0", "1.0")
    assert both is not None
    assert [each.requests for each in both] == [1, MOST_REQUESTS - 1]
    assert both[0].median_ms == pytest.approx(10)
