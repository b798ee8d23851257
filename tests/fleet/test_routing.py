"""Two gateways and two nodes: shares, changes, kills, and a database that stops."""

import asyncio
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Coroutine
from functools import partial

import httpx
import pytest

from tests.fleet.conftest import SECOND
from tests.fleet.fleet import NODES, STABLE, Fleet, until
from tests.fleet.load import Load, clients, endless

pytestmark = pytest.mark.anyio

FOLLOWED_S = 2.0
AROUND_S = 12.0  # before and after the minute without a database
RATE = 60.0  # images a second; about half of what two tiny workers and two gateways take


@pytest.fixture
def anyio_backend() -> str:
    """asyncio."""
    return "asyncio"


async def loaded(fleet: Fleet, work: Coroutine[None, None, None]) -> Load:
    """The load that was sent while ``work`` was done."""
    load = Load(fleet, RATE)
    sending = asyncio.create_task(load.send(endless(clients(500))))
    try:
        await work
    finally:
        load.is_over.set()
        await sending
    return load


def served_by(fleet: Fleet, gateway: int) -> str:
    """The version that a gateway takes."""
    answer = httpx.post(
        f"{fleet.urls[gateway]}/v1/segment?render=labels",
        content=fleet.colours.image,
        headers={"Content-Type": "image/png"},
        timeout=30.0,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["X-Model-Version"]


def followed_s(fleet: Fleet, version: str) -> list[float]:
    """Seconds until each gateway takes a version."""
    began = time.monotonic()
    seconds = []
    for gateway in range(len(fleet.urls)):
        while served_by(fleet, gateway) != version:
            assert time.monotonic() - began < 10, f"{version} is not taken"
        seconds.append(time.monotonic() - began)
    return seconds


def test_every_gateway_follows_a_change_within_two_seconds(fleet: Fleet) -> None:
    """A promotion by either gateway, and each roll-back."""
    seconds: list[float] = []
    for gateway in (0, 1, 0, 1):
        fleet.promote(SECOND, gateway)
        seconds += followed_s(fleet, SECOND)
        fleet.change("POST", "/rollback", 1 - gateway, json={"why": "a test"})
        seconds += followed_s(fleet, STABLE)
    print(f"followed after {statistics.median(seconds):.2f} s, at most {max(seconds):.2f} s")
    assert max(seconds) <= FOLLOWED_S


async def test_a_share_is_kept_and_no_client_changes_sides(fleet: Fleet) -> None:
    """5,000 requests of 500 clients for each share, while it grows."""
    known = clients(500)
    before = Load(fleet, 2 * RATE)
    await before.send(known)  # by both gateways in turn
    await before.send(known[1:] + known[:1])
    assert before.faults == []
    there: set[str] = set()
    for percent in (10, 25, 50):
        share = {"version": SECOND, "percent": percent}
        await asyncio.to_thread(fleet.change, "PATCH", "/traffic", json={"canary": share})
        await asyncio.sleep(FOLLOWED_S)
        load = Load(fleet, 4 * RATE)
        await load.send(known * 10)
        assert load.faults == []
        answered = Counter(each.version for each in load.answers)
        print(f"{percent} %: {100 * answered[SECOND] / 5000:.2f} %")
        assert abs(100 * answered[SECOND] / 5000 - percent) <= 2
        sides = {(each.client, each.version) for each in load.answers}
        assert len(sides) == len(known), "a client saw both versions"
        now = {client for client, version in sides if version == SECOND}
        assert there <= now
        there = now


async def test_no_request_fails_while_a_node_is_killed_and_comes_back(fleet: Fleet) -> None:
    """The connection that breaks is tried once elsewhere."""

    async def work() -> None:
        for node in NODES:
            fleet.kill(node)
            await asyncio.sleep(3)
            fleet.start_part(node)  # in this thread, with which it would end
            await asyncio.to_thread(has_come_back)
            await asyncio.sleep(FOLLOWED_S)  # until every gateway follows, too

    def is_missed(gateway: int) -> bool:
        return len(fleet.workers(STABLE, gateway)) < len(NODES)

    def has_come_back() -> None:
        # Its agent's first report: until then the last one of before counts.
        for gateway in range(len(fleet.urls)):
            until(partial(is_missed, gateway), "it reports")
        fleet.ready(STABLE)
        fleet.ready(SECOND)

    load = await loaded(fleet, work())
    assert load.faults == []
    print(f"{len(load.answers)} images")
    assert len(load.answers) > 300


async def test_no_request_fails_while_everything_is_changed(fleet: Fleet) -> None:
    """2,000 requests while versions are added, tried, promoted, rolled back and removed."""

    async def work() -> None:
        numbers, end = itertools.count(), time.monotonic() + 1.1 * 2000 / RATE
        while time.monotonic() < end:
            await asyncio.to_thread(roll_out, fleet, f"3.{next(numbers)}")

    load = await loaded(fleet, work())
    assert len(load.answers) >= 2000
    print(f"{len(load.answers)} images")
    assert load.faults == []
    assert {each.version for each in load.answers} >= {STABLE, "3.0"}


def roll_out(fleet: Fleet, version: str) -> None:
    """Add, try, promote and scale a version, go back and remove it."""
    fleet.add(version, 0)
    fleet.change("PATCH", "/traffic", json={"canary": {"version": version, "percent": 20}})
    fleet.change("PATCH", "/traffic", 1, json={"shadow": {"version": SECOND, "percent": 100}})
    time.sleep(2)  # of trial
    fleet.promote(version)
    for workers in (2, 1):
        fleet.change("PUT", f"/versions/{version}/placement", json={"workers": workers})
        fleet.ready(version, workers)
    fleet.change("POST", "/rollback", json={"why": "a test"})
    fleet.change("PATCH", "/traffic", json={"canary": None, "shadow": None})
    fleet.change("DELETE", f"/versions/{version}")
    until(lambda: fleet.workers(version) == {}, f"{version} is removed")


async def test_a_database_that_stops_for_a_minute_is_not_noticed(fleet: Fleet) -> None:
    """No request fails, and none takes longer than before."""
    moments: list[float] = []

    async def work() -> None:
        await asyncio.sleep(AROUND_S)
        moments.append(time.monotonic())
        fleet.database.stop()
        try:
            await asyncio.sleep(60)
        finally:
            moments.append(time.monotonic())
            await asyncio.to_thread(fleet.database.start)
        await asyncio.sleep(AROUND_S)

    load = await loaded(fleet, work())
    stopped, started = moments
    without = [each.seconds for each in load.answers if stopped <= each.began < started]
    with_it = [each.seconds for each in load.answers if not stopped <= each.began < started]
    ratios = [_quantile(without, share) / _quantile(with_it, share) for share in (0.5, 0.95)]
    print(f"{len(without)} images without it, median {ratios[0]:.3f} times, 95 % {ratios[1]:.3f}")
    assert load.faults == []
    assert len(without) > 0.9 * 60 * RATE
    assert ratios[0] < 1.1
    assert ratios[1] < 1.3
    fleet.ready(STABLE)


def _quantile(seconds: list[float], share: float) -> float:
    return statistics.quantiles(seconds, n=100)[round(100 * share) - 1]
