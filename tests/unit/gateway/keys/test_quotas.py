"""Quotas: rate and concurrency limits of each sender."""

import asyncio
import logging
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.keys.quotas import Rates
from tests.key_store import folder_of, key_store
from tests.unit.gateway.doubles import TorchServeDouble, application, client, mask_response, send

pytestmark = pytest.mark.anyio


class BlockedTorchServe(TorchServeDouble):
    """A TorchServe whose predictions wait until they are released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()
        self.predict = self._when_released

    async def _when_released(self, request: httpx.Request) -> httpx.Response:
        await self.released.wait()
        return mask_response()


@asynccontextmanager
async def client_at(address: str, app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client with this address."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as gateway:
        yield gateway


async def statuses(gateway: httpx.AsyncClient, times: int, **headers: str) -> list[int]:
    """The statuses of several images, sent one after the other."""
    return [(await send(gateway, headers=headers)).status_code for _ in range(times)]


async def test_what_is_over_the_rate_is_a_429_with_the_time_to_wait() -> None:
    """Requests beyond the rate get 429 with Retry-After; routes without inference do not count."""
    async with client(TorchServeDouble(), rate_limit="3/day") as gateway:
        assert await statuses(gateway, 4) == [200, 200, 200, 429]
        response = await send(gateway)
        assert response.json()["code"] == "too_many_requests"
        assert 1 <= int(response.headers["Retry-After"]) <= 86400
        assert response.headers["Retry-After"] in response.json()["detail"]
        rest = response.headers["Retry-After"]
        assert response.headers["RateLimit"] == f'"rate";r=0;t={rest}'
        assert response.headers["RateLimit-Policy"] == '"rate";q=3;w=86400'
        assert (await gateway.get("/v1/models")).status_code == 200


@pytest.mark.slow
async def test_after_the_time_to_wait_a_request_passes() -> None:
    """A request passes after the time in Retry-After."""
    async with client(TorchServeDouble(), rate_limit="2/second") as gateway:
        response = [await send(gateway) for _ in range(3)][-1]
        assert response.status_code == 429
        await asyncio.sleep(int(response.headers["Retry-After"]))
        assert (await send(gateway)).status_code == 200


async def test_addresses_are_counted_each_for_itself() -> None:
    """Each address has its own rate; for IPv6, each /64 network."""
    app = application(TorchServeDouble(), rate_limit="1/day")
    seen: dict[str, int] = {}
    for address in (
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.1",
        "2001:db8::1",
        "2001:db8::2",
        "::ffff:1.2.3.4",
        "::ffff:1.2.3.5",
        "odd",
        "",
    ):
        async with client_at(address, app) as gateway:
            seen[address] = (await send(gateway)).status_code
    assert seen == {
        "10.0.0.1": 429,
        "10.0.0.2": 200,
        "2001:db8::1": 200,
        "2001:db8::2": 429,
        "::ffff:1.2.3.4": 200,
        "::ffff:1.2.3.5": 200,
        "odd": 200,
        "": 429,
    }


async def test_keys_are_counted_each_for_itself_and_may_have_their_own_rate(
    tmp_path: Path,
) -> None:
    """Keys from one address are counted separately, and a key's own rate takes precedence."""
    store = key_store(tmp_path)
    keys = [store.add("a", "user"), store.add("b", "user"), store.add("c", "user", "3/day")]
    changes = {"auth": "on", "data_dir": folder_of(store), "rate_limit": "1/day"}
    async with client(TorchServeDouble(), **changes) as gateway:
        results = [await statuses(gateway, 4, **{"X-API-Key": key}) for _, key in keys]
    assert results == [[200, 429, 429, 429], [200, 429, 429, 429], [200, 200, 200, 429]]


async def test_a_key_has_its_limit_where_the_gateway_has_none(tmp_path: Path) -> None:
    """A key's own rate applies if the gateway has no default; other keys are unlimited."""
    store = key_store(tmp_path)
    limited, free = store.add("a", "user", "1/day"), store.add("b", "user")
    async with client(TorchServeDouble(), auth="on", data_dir=folder_of(store)) as gateway:
        assert await statuses(gateway, 2, **{"X-API-Key": limited[1]}) == [200, 429]
        assert await statuses(gateway, 5, **{"X-API-Key": free[1]}) == [200] * 5


@pytest.mark.parametrize(
    ("own_limit", "default_limit", "expected"), [(None, 2, 2), (3, 0, 3), (1, 2, 1)]
)
async def test_concurrent_requests_are_limited(
    tmp_path: Path, own_limit: int | None, default_limit: int, expected: int
) -> None:
    """The default, or the key's own limit, applies; excess requests are a 429 without waiting."""
    store = key_store(tmp_path)
    _, key = store.add("a", "user", None, own_limit)
    _, other = store.add("b", "user")
    torchserve = BlockedTorchServe()
    changes = {"auth": "on", "data_dir": folder_of(store), "key_concurrency": default_limit}
    async with client(torchserve, **changes) as gateway:
        tasks = [asyncio.create_task(send(gateway, headers={"X-API-Key": key})) for _ in range(5)]
        tasks.append(asyncio.create_task(send(gateway, headers={"X-API-Key": other})))
        refused = 5 - expected
        while sum(task.done() for task in tasks) < refused:
            await asyncio.sleep(0.01)
        torchserve.released.set()
        *responses, others = await asyncio.gather(*tasks)
        assert sorted(a.status_code for a in responses) == [200] * expected + [429] * refused
        limited = [a.headers for a in responses if a.status_code == 429]
        assert {each["Retry-After"] for each in limited} == {"1"}
        assert {each["RateLimit"] for each in limited} == {'"concurrency";r=0;t=1'}
        assert others.status_code == 200
        assert await statuses(gateway, 3, **{"X-API-Key": key}) == [200] * 3


async def test_a_request_that_failed_is_no_longer_concurrent() -> None:
    """A request that failed, or whose client left, no longer counts as concurrent."""
    torchserve = BlockedTorchServe()
    async with client(torchserve, key_concurrency=1) as gateway:
        assert (await send(gateway, b"no form")).status_code == 422
        leaving = asyncio.create_task(send(gateway))
        while not torchserve.predictions:
            await asyncio.sleep(0.001)
        leaving.cancel()
        await asyncio.wait([leaving])
        torchserve.released.set()
        assert (await send(gateway)).status_code == 200


async def test_without_limits_nothing_is_counted(gateway: httpx.AsyncClient) -> None:
    """By default there is no limit."""
    assert await statuses(gateway, 20) == [200] * 20


@pytest.fixture
def free_port() -> int:
    """A port without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_without_its_storage_everything_passes_and_one_line_says_so(
    free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """If Redis cannot be reached, requests pass and one warning is logged, without the password."""
    url = f"redis://:hidden@127.0.0.1:{free_port}"
    with caplog.at_level(logging.INFO):
        async with client(TorchServeDouble(), rate_limit="1/day", limits_url=url) as gateway:
            assert await statuses(gateway, 5) == [200] * 5
    lines = [r.getMessage() for r in caplog.records if r.name == "gateway.keys.quotas"]
    assert len(lines) == 1
    assert "does not answer" in lines[0]
    assert "hidden" not in caplog.text


async def test_a_storage_that_is_silent_costs_one_request_a_moment() -> None:
    """After a timeout Redis is not asked again during the pause."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rates = Rates(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        assert [await rates.wait_s("1/day", "a") for _ in range(20)] == [0] * 20
        silent.setblocking(False)
        silent.accept()
        with pytest.raises(BlockingIOError):
            silent.accept()  # there was no second connection


class RedisServer:
    """Debian's Redis, as a process on its own port."""

    def __init__(self, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}"
        self._port = port
        self.start()

    def start(self) -> None:
        """Start the server and wait until it listens."""
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [_REDIS, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                time.sleep(0.02)  # polling another process
            else:
                return
        self.stop()
        raise TimeoutError("redis-server did not listen within 10 seconds")

    def stop(self) -> None:
        """Stop the server."""
        self._process.kill()
        self._process.wait()


_REDIS = shutil.which("redis-server") or shutil.which("valkey-server") or ""
needs_redis = pytest.mark.skipif(not _REDIS, reason="neither redis-server nor valkey-server here")


@pytest.fixture
def redis(free_port: int) -> Iterator[RedisServer]:
    """An empty server."""
    server = RedisServer(free_port)
    yield server
    server.stop()


@needs_redis
async def test_gateways_count_together_in_redis(redis: RedisServer) -> None:
    """Two gateways with one Redis share the rate."""
    changes = {"rate_limit": "4/day", "limits_url": redis.url}
    async with (
        client(TorchServeDouble(), **changes) as one,
        client(TorchServeDouble(), **changes) as two,
    ):
        assert await statuses(one, 3) == [200] * 3
        assert await statuses(two, 2) == [200, 429]
        response = await send(one)
    assert response.status_code == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 86400


@needs_redis
async def test_limits_come_back_with_redis(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Limits apply again once a stopped Redis is back."""
    rates = Rates(redis.url, pause_s=0.05)
    assert [await rates.wait_s("1/day", "a") > 0 for _ in range(2)] == [False, True]
    with caplog.at_level(logging.INFO, "gateway.keys.quotas"):
        redis.stop()
        assert await rates.wait_s("1/day", "a") == 0
        redis.start()
        await asyncio.sleep(0.05)  # the pause
        assert [await rates.wait_s("1/day", "a") > 0 for _ in range(2)] == [False, True]
    messages = [record.getMessage() for record in caplog.records]
    assert ["does not answer" in line or "answers again" in line for line in messages] == [
        True,
        True,
    ]
