"""Load: images sent at a given rate, each answer judged by its mask."""

import asyncio
import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import aiohttp

from gateway.traffic.identity import SESSION_HEADER
from tests.fleet.fleet import Fleet

# Version -> network; the others have the first one.
NETWORKS = {"2.0": 1}


@dataclass(frozen=True)
class Answer:
    """An answer. began: on the monotonic clock. status: 0 without one. fault: what is wrong."""

    began: float
    seconds: float
    client: str
    status: int
    version: str = ""
    fault: str = ""


@dataclass
class Load:
    """A sender of images to both gateways in turn. rate: a second."""

    fleet: Fleet
    rate: float
    answers: list[Answer] = field(default_factory=list)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, clients: Iterable[str]) -> None:
        """Send an image of each client in turn, at the rate, until told or out of clients."""
        connector = aiohttp.TCPConnector(limit=64)
        async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
            began, tasks = time.monotonic(), []
            for number, client in enumerate(clients):
                due = began + number / self.rate - time.monotonic()
                if due > 0:
                    await asyncio.sleep(due)
                if self.is_over.is_set():
                    break
                url = self.fleet.urls[number % len(self.fleet.urls)]
                tasks.append(asyncio.create_task(self._send(session, url, client)))
            await asyncio.gather(*tasks)

    async def _send(self, session: aiohttp.ClientSession, url: str, client: str) -> None:
        began = time.monotonic()
        try:
            async with session.post(
                f"{url}/v1/segment?render=labels",
                data=self.fleet.colours.image,
                headers={SESSION_HEADER: client, "Content-Type": "image/png"},
            ) as answer:
                body, status = await answer.read(), answer.status
                version = answer.headers.get("X-Model-Version", "")
        except aiohttp.ClientError as exc:
            self.answers.append(Answer(began, 0.0, client, 0, fault=repr(exc)))
            return
        seconds = time.monotonic() - began
        fault = body.decode()[:300] if status != 200 else ""
        if status == 200 and self.fleet.colours.network_of(body) != NETWORKS.get(version, 0):
            fault = f"the mask is not that of {version}"
        self.answers.append(Answer(began, seconds, client, status, version, fault))

    @property
    def faults(self) -> list[str]:
        """What is wrong with the answers."""
        return [each.fault for each in self.answers if each.fault]


def clients(count: int) -> list[str]:
    """Names of visitors."""
    return [f"visitor {number}" for number in range(count)]


def endless(names: Iterable[str]) -> Iterable[str]:
    """The same names again and again."""
    return itertools.cycle(names)
