"""What a shadow costs the users: their median latency at half load, with and without it."""

import asyncio
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.archives import renumbered
from tests.stack import ROOT, Stack

PICTURE = (ROOT / "ui" / "examples" / "cat.jpg").read_bytes()
SHADOW = "9.0"
PAIRS, WINDOW_S, FOLLOWED_S = 10, 5.0, 1.5
ALLOWED = 1.03

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """asyncio."""
    return "asyncio"


@pytest.fixture
def shadow(stack: Stack, tmp_path: Path) -> Iterator[str]:
    """A second version of the same network."""
    archive = renumbered(stack.model_store / "deeplabv3-1.0.mar", tmp_path / "new.mar", SHADOW)
    assert stack.versions("add", str(archive)).returncode == 0
    assert stack.versions("shadow", SHADOW, "0").returncode == 0
    yield SHADOW
    stack.versions("alias", "shadow", "--remove")
    stack.versions("remove", SHADOW)


async def test_a_shadow_of_all_images_costs_users_less_than_three_percent(
    stack: Stack, shadow: str
) -> None:
    """Windows with and without it alternate, under the same arrivals."""
    async with aiohttp.ClientSession(stack.gateway_url, trust_env=False) as session:
        rate = await capacity(session) / 2
        ratios = []
        for number in range(PAIRS):
            medians = {}
            for percent in (0, 100) if number % 2 else (100, 0):
                done = await asyncio.to_thread(stack.versions, "shadow", shadow, str(percent))
                assert done.returncode == 0, done.stderr
                await asyncio.sleep(FOLLOWED_S)
                medians[percent] = statistics.median(await window(session, rate, number))
            ratios.append(medians[100] / medians[0])
    middle = statistics.mean(ratios)
    error = statistics.stdev(ratios) / PAIRS**0.5
    print(
        f"{rate:.0f} images a second; the median takes {middle:.3f} times as long with a shadow, "
        f"{middle - 2 * error:.3f} to {middle + 2 * error:.3f}"
    )
    compared = stack.versions("shadow").stdout
    print(compared)
    assert middle - 2 * error < ALLOWED


async def capacity(session: aiohttp.ClientSession) -> float:
    """Images a second that four connections get."""
    count, end = 0, time.monotonic() + WINDOW_S

    async def send_all() -> None:
        nonlocal count
        while time.monotonic() < end:
            await send(session)
            count += 1

    await asyncio.gather(*(send_all() for _ in range(4)))
    return count / WINDOW_S


async def window(session: aiohttp.ClientSession, rate: float, seed: int) -> list[float]:
    """Seconds of each image of a window; they arrive by chance."""
    dice, tasks = random.Random(seed), []  # noqa: S311  # no secret
    due = began = time.monotonic()
    while due < began + WINDOW_S:
        due += dice.expovariate(rate)
        await asyncio.sleep(due - time.monotonic())
        tasks.append(asyncio.create_task(send(session)))
    return await asyncio.gather(*tasks)


async def send(session: aiohttp.ClientSession) -> float:
    """Send a photograph; return the seconds until its mask is there."""
    began = time.perf_counter()
    headers = {"Content-Type": "image/jpeg"}
    async with session.post("/v1/segment?render=labels", data=PICTURE, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
    return time.perf_counter() - began
