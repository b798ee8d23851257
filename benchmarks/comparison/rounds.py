"""Rounds of the comparison: all servers in turn, under the same loads."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.comparison.engine_limit import engine_throughput
from benchmarks.load.loops import Load, Request, alternately, closed_loop, open_loop, send_once
from benchmarks.servers.server_process import RunningServer, running_server
from benchmarks.servers.systems_under_test import GATEWAY, PRODUCT, TORCHSERVE, Endpoint, Server
from benchmarks.setup.models import Model
from benchmarks.setup.photographs import USUAL, Photograph

CAPACITY_SHARE = 0.8  # of the steady load
WARM_UP_CONNECTIONS = 4
# A newcomer's one worker that takes longer than this for an answer alone is not asked over more
# connections than these: with two it is never idle, and more would only wait, for half a minute.
SLOW_MS, MOST_OF_SLOW = 1000.0, 2
LEAST_STEADY = 50  # answers at a steady rate; of fewer a 99th percentile would say nothing
LEAST_AGREEMENT = 0.97  # pixels; int8 against eager f32


class BenchmarkError(RuntimeError):
    """A server does not do the same work as the others; the text says which."""


@dataclass(frozen=True)
class Plan:
    """The amount of measurement. seconds: of one load. connections: of the closed loops."""

    rounds: int
    seconds: float
    warm_up_seconds: float
    connections: tuple[int, ...]
    photographs: tuple[Photograph, ...]
    open_seconds: float

    @property
    def usual(self) -> Photograph:
        """The photograph of most figures."""
        return next(each for each in self.photographs if each.name == USUAL)


@dataclass(frozen=True)
class Latencies:
    """Latencies of the gateway.

    steady: at 80 % of the capacity. added_ms: the median overhead over TorchServe, both asked in
    turn.
    """

    steady: Load
    added_ms: float


@dataclass
class Measurement:
    """The measurement of one endpoint in one round.

    closed: (photograph, connections) -> load. latencies: of the gateway only.
    """

    startup_s: float = 0.0
    rss_mb: float = 0.0
    closed: dict[tuple[str, int], Load] = field(default_factory=dict)
    latencies: Latencies | None = None

    def capacity(self, photograph: Photograph) -> float:
        """The highest throughput over the numbers of connections, answers per second."""
        loads = self.closed.items()
        return max(load.throughput for (name, _), load in loads if name == photograph.name)


@dataclass
class Round:
    """One round: images per second of the engine alone, and each endpoint's measurement."""

    engine_per_s: float
    endpoints: dict[str, Measurement] = field(default_factory=dict)


def measure(model: Model, servers: Sequence[Server], plan: Plan) -> Iterator[Round]:
    """Yield rounds, each of all servers in turn. Raises BenchmarkError, ServerError, LoadError."""
    expected: NDArray[np.uint8] | None = None
    for _ in range(plan.rounds):
        turn = Round(engine_throughput(model, plan.usual.jpeg, plan.seconds))
        for server in servers:
            with running_server(server.command) as process:
                for endpoint in server.endpoints:
                    mask = _mask(endpoint, plan.usual.jpeg)
                    expected = mask if expected is None else expected
                    check(endpoint.name, mask, expected, is_proved=model.is_proved)
                turn.endpoints |= _measure(server.endpoints, process, plan)
            if server.name == PRODUCT:
                # Once more after it: its best load is compared with the engine's best.
                again = engine_throughput(model, plan.usual.jpeg, plan.seconds)
                turn.engine_per_s = max(turn.engine_per_s, again)
        yield turn


def _measure(
    endpoints: Sequence[Endpoint], process: RunningServer, plan: Plan
) -> dict[str, Measurement]:
    """Apply each load to all of a server's endpoints before the next one: they are compared."""
    measured = {endpoint.name: Measurement(startup_s=process.startup_s) for endpoint in endpoints}
    for endpoint in endpoints:
        warm_up = endpoint.request(plan.usual.jpeg)
        connections = 1 if endpoint.is_newcomer else WARM_UP_CONNECTIONS  # it has one worker
        closed_loop(warm_up, connections=connections, seconds=plan.warm_up_seconds)
    for photograph, connections in _loads(plan):
        for endpoint in endpoints:
            if not is_asked(endpoint, measured[endpoint.name], plan, photograph, connections):
                continue
            request = endpoint.request(photograph.jpeg)
            load = closed_loop(request, connections=connections, seconds=plan.seconds)
            if not load.latencies:
                raise BenchmarkError(f"{endpoint.name} gave no answer in {plan.seconds:g} seconds")
            measured[endpoint.name].closed[photograph.name, connections] = load
        if photograph.name == plan.usual.name:
            for each in measured.values():
                each.rss_mb = process.rss_mb()
    if GATEWAY in measured:
        by_name = {endpoint.name: endpoint.request(plan.usual.jpeg) for endpoint in endpoints}
        capacity = measured[GATEWAY].capacity(plan.usual)
        measured[GATEWAY].latencies = _latencies(by_name, capacity, plan)
    return measured


def _latencies(requests: Mapping[str, Request], capacity: float, plan: Plan) -> Latencies:
    """The gateway's overhead over TorchServe, and its latencies at a steady rate."""
    pairs = alternately(requests[GATEWAY], requests[TORCHSERVE], seconds=plan.open_seconds)
    added_ms = median(ours - theirs for ours, theirs in pairs)
    rate = CAPACITY_SHARE * capacity
    seconds = max(plan.open_seconds, LEAST_STEADY / rate)
    return Latencies(open_loop(requests[GATEWAY], rate=rate, seconds=seconds), added_ms)


def _loads(plan: Plan) -> Iterator[tuple[Photograph, int]]:
    """The usual photograph at every number of connections, the others at the most."""
    for connections in plan.connections:
        yield plan.usual, connections
    for photograph in plan.photographs:
        if photograph.name != plan.usual.name:
            yield photograph, max(plan.connections)


def is_asked(
    endpoint: Endpoint, measured: Measurement, plan: Plan, photograph: Photograph, connections: int
) -> bool:
    """Whether a load is measured, given the endpoint's measurements so far.

    Newcomer variants and the prototype are compared on the usual photograph only.
    """
    if not endpoint.is_newcomer:
        return True
    if photograph.name != plan.usual.name:
        return False
    alone = measured.closed.get((plan.usual.name, min(plan.connections)))
    return connections <= MOST_OF_SLOW or alone is None or alone.p50 <= SLOW_MS


def _mask(endpoint: Endpoint, jpeg: bytes) -> NDArray[np.uint8]:
    answer = endpoint.png(send_once(endpoint.request(jpeg)))
    with Image.open(io.BytesIO(answer)) as picture:
        return np.asarray(picture)


def check(
    name: str, mask: NDArray[np.uint8], expected: NDArray[np.uint8], *, is_proved: bool
) -> None:
    """Raise BenchmarkError unless the mask is the expected one.

    Random weights decide by rounding: then only the size is compared.
    """
    if mask.shape != expected.shape:
        raise BenchmarkError(f"{name} answers with a mask of {mask.shape}, not {expected.shape}")
    share = float((mask == expected).mean())
    if is_proved and share < LEAST_AGREEMENT:
        raise BenchmarkError(f"{name} gives the same class on {share:.1%} of the pixels only")
