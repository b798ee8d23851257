"""A load on one address, made by Locust in a process of its own."""

import json
import math
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import httpx

from benchmarks.setup.environments import interpreter_of
from benchmarks.setup.settings import LOAD

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
ANSWER_S = 120.0
REFUSALS = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
LEAST_PAIRS = 10
STAGE = re.compile(r"([\w-]+);dur=([\d.]+)")  # of a Server-Timing
USERS_A_SECOND = 4  # of a steady rate: each answer may take that many seconds before one is late


class LoadError(RuntimeError):
    """No load was made, or it was not answered; the text says why."""


@dataclass(frozen=True)
class Request:
    """What is sent, and where to."""

    url: str
    body: bytes
    content_type: str

    def at(self, url: str) -> "Request":
        """The same at another address."""
        return replace(self, url=url)


@dataclass(frozen=True)
class Load:
    """What one run of load showed.

    latencies: milliseconds, of requests that were answered 200.
    refused: milliseconds, of those that were answered 429 or 503.
    failures: how many got anything but a 200, refusals and broken connections among them.
    """

    seconds: float
    latencies: tuple[float, ...]
    failures: int
    refused: tuple[float, ...] = ()

    @property
    def throughput(self) -> float:
        """Answered requests per second."""
        return len(self.latencies) / self.seconds

    @property
    def p50(self) -> float:
        """Median latency in milliseconds."""
        return median(self.latencies)

    @property
    def p99(self) -> float:
        """99th percentile of the latency in milliseconds."""
        return p99_of(self.latencies)


def p99_of(latencies: Sequence[float]) -> float:
    """The 99th percentile: the least that 99 % of them do not pass."""
    return sorted(latencies)[math.ceil(0.99 * len(latencies)) - 1]


def send_once(request: Request) -> bytes:
    """The answer's body. Raises LoadError for anything but a 200."""
    return ask(request).content


def ask(request: Request) -> httpx.Response:
    """The answer to one request. Raises LoadError for anything but a 200."""
    with httpx.Client(timeout=ANSWER_S, trust_env=False) as client:
        return _sent(client, request)


def _sent(client: httpx.Client, request: Request) -> httpx.Response:
    headers = {"Content-Type": request.content_type}
    try:
        answer = client.post(request.url, content=request.body, headers=headers)
    except httpx.HTTPError as exc:
        raise LoadError(f"{request.url} gives no answer: {exc!r}") from exc
    if answer.status_code != httpx.codes.OK:
        raise LoadError(f"{request.url} answers {answer.status_code}: {answer.text[:200]}")
    return answer


def alternately(one: Request, other: Request, *, seconds: float) -> list[tuple[float, float]]:
    """What one and the other took, in turn and one at a time, LEAST_PAIRS at least.

    Milliseconds, less those of the handler's stages, as the answer's Server-Timing has them: of a
    network that takes a second they differ from picture to picture by more than a gateway takes.

    What differs between two loads of seconds may be the machine; what differs here is not. Raises
    LoadError for anything but a 200.
    """
    pairs: list[tuple[float, float]] = []
    with httpx.Client(timeout=ANSWER_S, trust_env=False) as client:
        began = time.perf_counter()
        while time.perf_counter() - began < seconds or len(pairs) < LEAST_PAIRS:
            pairs.append((_around_ms(client, one), _around_ms(client, other)))
    return pairs


def _around_ms(client: httpx.Client, request: Request) -> float:
    began = time.perf_counter()
    answer = _sent(client, request)
    took = (time.perf_counter() - began) * 1e3
    return took - handler_ms(answer.headers.get("Server-Timing", ""))


def handler_ms(timing: str) -> float:
    """The sum of the stages of a Server-Timing, without the gateway's total."""
    return sum(ms for name, ms in stages_of(timing).items() if name != "total")


def stages_of(timing: str) -> dict[str, float]:
    """Stage -> milliseconds, of a Server-Timing."""
    return {name: float(ms) for name, ms in STAGE.findall(timing)}


def closed_loop(request: Request, *, connections: int, seconds: float) -> Load:
    """Each connection sends its next request when the last is answered, for a bounded time.

    Anything but a 200 counts as a failure, a broken connection too. Raises LoadError.
    """
    return _run(request, users=connections, rate=0.0, seconds=seconds)


def open_loop(request: Request, *, rate: float, seconds: float, users: int | None = None) -> Load:
    """``rate`` requests per second, whether or not the earlier ones are answered.

    A user whose last request is not answered yet sends none: there are enough of them for answers
    that take four seconds each, or as many as ``users`` says.
    """
    users = users or max(8, round(rate * USERS_A_SECOND))
    return _run(request, users=users, rate=rate, seconds=seconds)


def _run(request: Request, *, users: int, rate: float, seconds: float) -> Load:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        answers, target = folder / "answers.json", urlsplit(request.url)
        (folder / "body").write_bytes(request.body)
        load = {
            "host": f"{target.scheme}://{target.netloc}",
            "path": target.path,
            "content_type": request.content_type,
            "body": str(folder / "body"),
            "answers": str(answers),
            "users": users,
            "rate": rate,
        }
        (folder / "load.json").write_text(json.dumps(load))
        command = [str(interpreter_of("locust")), "-m", "locust", "--headless", "--only-summary"]
        command += ["-f", str(LOCUSTFILE), "--loglevel", "WARNING"]
        command += ["--users", str(users), "--spawn-rate", str(users)]
        command += ["--run-time", f"{seconds:.0f}s", "--stop-timeout", "120"]
        command += ["--exit-code-on-error", "0"]
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, LOAD: str(folder / "load.json")},
            capture_output=True,
            text=True,
            timeout=seconds + 300,
            check=False,
        )
        if done.returncode != 0 or not answers.is_file():
            raise LoadError(f"Locust failed: {done.stderr.strip()[-500:]}")
        return _load(json.loads(answers.read_text()))


def _load(answers: list[tuple[float, float, int]]) -> Load:
    """From the first request sent to the last one answered."""
    if not answers:
        return Load(1.0, (), 0)
    first = min(sent for sent, _, _ in answers)
    last = max(sent + ms / 1e3 for sent, ms, _ in answers)
    latencies = tuple(ms for _, ms, status in answers if status == httpx.codes.OK)
    refused = tuple(ms for _, ms, status in answers if status in REFUSALS)
    return Load(max(last - first, 1e-9), latencies, len(answers) - len(latencies), refused)
