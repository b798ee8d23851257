"""Each sender has its share of requests in a time and at once, and no sender another's."""

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

from gateway.keys import quotas as module
from gateway.keys.quotas import Rates
from gateway.keys.store import KeyStore
from tests.unit.gateway.doubles import TorchServeDouble, application, client, mask_answer, send

pytestmark = pytest.mark.anyio


class Slow(TorchServeDouble):
    """Computes until it is told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.done = asyncio.Event()
        self.predict = self._when_done

    async def _when_done(self, request: httpx.Request) -> httpx.Response:
        await self.done.wait()
        return mask_answer()


@asynccontextmanager
async def asking(address: str, app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an address of its own."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as found:
        yield found


async def statuses(gateway: httpx.AsyncClient, times: int, **headers: str) -> list[int]:
    """What that many images after each other are answered."""
    return [(await send(gateway, headers=headers)).status_code for _ in range(times)]


async def test_what_is_over_the_rate_is_a_429_with_the_time_to_wait() -> None:
    """As many as the rate says pass; questions still do."""
    async with client(TorchServeDouble(), rate_limit="3/day") as gateway:
        assert await statuses(gateway, 4) == [200, 200, 200, 429]
        answer = await send(gateway)
        assert answer.json()["code"] == "too_many_requests"
        assert 1 <= int(answer.headers["Retry-After"]) <= 86400
        assert answer.headers["Retry-After"] in answer.json()["detail"]
        assert (await gateway.get("/v1/models")).status_code == 200


async def test_after_the_time_to_wait_a_request_passes() -> None:
    """Retry-After is no guess."""
    async with client(TorchServeDouble(), rate_limit="2/second") as gateway:
        while (answer := await send(gateway)).status_code == 200:
            pass
        await asyncio.sleep(int(answer.headers["Retry-After"]))
        assert (await send(gateway)).status_code == 200


async def test_addresses_are_counted_each_for_itself() -> None:
    """Of IPv6 the network of a client, which may take any address in it."""
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
        async with asking(address, app) as gateway:
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
    """All from one address."""
    file = KeyStore(tmp_path / "keys.json")
    keys = [file.add("a", "user"), file.add("b", "user"), file.add("c", "user", "3/day")]
    wanted = {"auth": "on", "keys_file": file.path, "rate_limit": "1/day"}
    async with client(TorchServeDouble(), **wanted) as gateway:
        found = [await statuses(gateway, 4, **{"X-API-Key": key}) for _, key in keys]
    assert found == [[200, 429, 429, 429], [200, 429, 429, 429], [200, 200, 200, 429]]


async def test_a_key_has_its_limit_where_the_gateway_has_none(tmp_path: Path) -> None:
    """And the others none."""
    file = KeyStore(tmp_path / "keys.json")
    limited, free = file.add("a", "user", "1/day"), file.add("b", "user")
    async with client(TorchServeDouble(), auth="on", keys_file=file.path) as gateway:
        assert await statuses(gateway, 2, **{"X-API-Key": limited[1]}) == [200, 429]
        assert await statuses(gateway, 5, **{"X-API-Key": free[1]}) == [200] * 5


@pytest.mark.parametrize(("own", "gateways", "expected"), [(None, 2, 2), (3, 0, 3), (1, 2, 1)])
async def test_requests_at_once_are_limited_and_places_come_back(
    tmp_path: Path, own: int | None, gateways: int, expected: int
) -> None:
    """The gateway's number or the key's own; 429 at once, not after waiting."""
    file = KeyStore(tmp_path / "keys.json")
    _, key = file.add("a", "user", None, own)
    _, other = file.add("b", "user")
    torchserve = Slow()
    wanted = {"auth": "on", "keys_file": file.path, "key_concurrency": gateways}
    async with client(torchserve, **wanted) as gateway:
        tasks = [asyncio.create_task(send(gateway, headers={"X-API-Key": key})) for _ in range(5)]
        tasks.append(asyncio.create_task(send(gateway, headers={"X-API-Key": other})))
        refused = 5 - expected
        while sum(task.done() for task in tasks) < refused:
            await asyncio.sleep(0.01)
        torchserve.done.set()
        *answers, others = await asyncio.gather(*tasks)
        assert sorted(a.status_code for a in answers) == [200] * expected + [429] * refused
        assert {a.headers["Retry-After"] for a in answers if a.status_code == 429} == {"1"}
        assert others.status_code == 200
        assert await statuses(gateway, 3, **{"X-API-Key": key}) == [200] * 3


async def test_a_place_comes_back_from_a_request_that_failed() -> None:
    """Or that its client left."""
    torchserve = Slow()
    async with client(torchserve, key_concurrency=1) as gateway:
        assert (await send(gateway, b"no form")).status_code == 422
        leaving = asyncio.create_task(send(gateway))
        await asyncio.sleep(0.05)
        leaving.cancel()
        await asyncio.wait([leaving])
        torchserve.done.set()
        assert (await send(gateway)).status_code == 200


async def test_without_limits_nothing_is_counted(gateway: httpx.AsyncClient) -> None:
    """The default."""
    assert await statuses(gateway, 20) == [200] * 20


async def _until_asked_again() -> None:
    await asyncio.sleep(module._PAUSE_S)


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_without_its_storage_everything_passes_and_one_line_says_so(
    free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A service without limits is better than none."""
    url = f"redis://:hidden@127.0.0.1:{free_port}"
    with caplog.at_level(logging.INFO):
        async with client(TorchServeDouble(), rate_limit="1/day", limits_url=url) as gateway:
            assert await statuses(gateway, 5) == [200] * 5
    lines = [r.getMessage() for r in caplog.records if r.name == "gateway.keys.quotas"]
    assert len(lines) == 1
    assert "does not answer" in lines[0]
    assert "hidden" not in caplog.text


async def test_a_storage_that_is_silent_costs_one_request_a_moment() -> None:
    """It is then let alone for a while."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rates = Rates(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        assert [await rates.wait_s("1/day", "a") for _ in range(20)] == [0] * 20
    assert time.monotonic() - started < 4 * module._TIMEOUT_S


class RedisServer:
    """Debian's Redis, as a process on a port of its own."""

    def __init__(self, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}"
        self._port = port
        self.start()

    def start(self) -> None:
        """Starts it and waits until it listens."""
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [_REDIS, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                time.sleep(0.02)  # it tells nobody when it listens
            else:
                return
        self.stop()
        raise TimeoutError("redis-server did not listen within 10 seconds")

    def stop(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()


_REDIS = shutil.which("redis-server") or shutil.which("valkey-server") or ""
needs_redis = pytest.mark.skipif(not _REDIS, reason="neither redis-server nor valkey-server here")


@pytest.fixture
def redis(free_port: int) -> Iterator[RedisServer]:
    """A server with nothing in it."""
    server = RedisServer(free_port)
    yield server
    server.stop()


@needs_redis
async def test_gateways_count_together_in_redis(redis: RedisServer) -> None:
    """Two of them give no more than one would."""
    wanted = {"rate_limit": "4/day", "limits_url": redis.url}
    async with (
        client(TorchServeDouble(), **wanted) as one,
        client(TorchServeDouble(), **wanted) as two,
    ):
        assert await statuses(one, 3) == [200] * 3
        assert await statuses(two, 2) == [200, 429]
        answer = await send(one)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 86400


@needs_redis
async def test_limits_come_back_with_redis(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be stopped and started while gateways run."""
    monkeypatch.setattr(module, "_PAUSE_S", 0.05)
    rates = Rates(redis.url)
    assert [await rates.wait_s("1/day", "a") > 0 for _ in range(2)] == [False, True]
    with caplog.at_level(logging.INFO, "gateway.keys.quotas"):
        redis.stop()
        assert await rates.wait_s("1/day", "a") == 0
        redis.start()
        await _until_asked_again()
        assert [await rates.wait_s("1/day", "a") > 0 for _ in range(2)] == [False, True]
    said = [record.getMessage() for record in caplog.records]
    assert ["does not answer" in line or "answers again" in line for line in said] == [True, True]
