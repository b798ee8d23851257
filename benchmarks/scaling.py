"""Scaling: ``segserve bench scaling`` writes benchmarks/results/growth.json and .md.

Throughput against workers, latency against picture size, the gateway's capacity with a back end
that answers at once, memory against requests in flight, and what happens when eight times as much
is asked as can be given. All of the bundled model, on this machine.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.comparison.report import row
from benchmarks.load.loops import Load, ask, closed_loop, open_loop, p99_of, stages_of
from benchmarks.servers.gateway_alone import fake_torchserve, gateway_alone
from benchmarks.servers.recorded_responses import recorded_responses
from benchmarks.servers.server_process import RunningServer, running_server
from benchmarks.servers.systems_under_test import PORTS, Server, product
from benchmarks.setup.models import Model, prepare
from benchmarks.setup.photographs import of_megapixels, usual
from benchmarks.setup.ports import free_ports
from benchmarks.setup.settings import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "growth.json"
WORKERS = (1, 2, 3, 4)
MEGAPIXELS = (0.1, 0.3, 1, 3, 12, 48)
IN_FLIGHT = (1, 4, 16, 64)
TIMED_ANSWERS = 21  # the medians of their stages are reported
OVERLOAD = 8  # times the capacity
OVERLOADING_USERS = 400  # of them 80 at most wait, and send no others meanwhile


def by_workers(model: Model, seconds: float) -> list[dict[str, float]]:
    """Throughput against workers, with four requests in flight for each worker."""
    rows = []
    for workers in WORKERS:
        with _product(model, {"SEGSERVE_SERVE_WORKERS": str(workers)}) as (server, process):
            load = _load(server, connections=4 * workers, seconds=seconds)
            rows.append({"workers": workers, **_figures(load), "rss_mb": round(process.rss_mb())})
    return rows


def by_size(model: Model, seconds: float) -> list[dict[str, object]]:
    """Median latency of one connection against image size, with the handler's stages."""
    rows: list[dict[str, object]] = []
    with _product(model) as (server, _):
        for megapixels in MEGAPIXELS:
            photograph = of_megapixels(megapixels)
            request = server.endpoints[0].request(photograph.jpeg)
            closed_loop(request, connections=1, seconds=1)
            load = closed_loop(request, connections=1, seconds=seconds)
            figures: dict[str, object] = {
                "megapixels": megapixels,
                "mb": round(len(photograph.jpeg) / 1e6, 2),
                "p50_ms": round(load.p50, 1),
                **stages([ask(request).headers["Server-Timing"] for _ in range(TIMED_ANSWERS)]),
            }
            rows.append(figures)
    return rows


def stages(headers: Sequence[str]) -> dict[str, float]:
    """Stage -> median milliseconds, of several answers' Server-Timing."""
    timings = [stages_of(header) for header in headers]
    return {name: round(median(each[name] for each in timings), 2) for name in timings[0]}


def by_requests_in_flight(model: Model, seconds: float) -> list[dict[str, object]]:
    """Resident memory against requests in flight."""
    rows: list[dict[str, object]] = []
    for connections in IN_FLIGHT:
        with _product(model) as (server, process):
            load = _load(server, connections=connections, seconds=seconds)
            rows.append({"connections": connections, **_figures(load), "mb": _memory(process)})
    return rows


def gateway_capacity(model: Model, seconds: float) -> list[dict[str, float]]:
    """Throughput of one gateway process before a back end that answers at once."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.json"
        with _product(model) as (server, _):
            answers.write_text(json.dumps(recorded_responses(server)))
        with (
            fake_torchserve(answers) as torchserve,
            gateway_alone(torchserve, model.archive) as (url, gateway),
        ):
            for connections in (1, 4, 16):
                process = psutil.Process(gateway.child.process.pid)
                request = server.endpoints[0].request(usual().jpeg).at(f"{url}/segmentation")
                closed_loop(request, connections=connections, seconds=2)
                before = sum(process.cpu_times()[:2])
                load = closed_loop(request, connections=connections, seconds=seconds)
                spent = sum(process.cpu_times()[:2]) - before
                cost = {"cpu_ms": round(1e3 * spent / len(load.latencies), 3)}
                rows.append({"connections": connections, **_figures(load), **cost})
    return rows


def overload(model: Model, seconds: float) -> list[dict[str, object]]:
    """Latencies of accepted and refused requests at a steady rate far above the capacity."""
    with _product(model) as (server, process):
        capacity = _load(server, connections=8, seconds=seconds).throughput
        before = _memory(process)
        load = open_loop(
            server.endpoints[0].request(usual().jpeg),
            rate=OVERLOAD * capacity,
            seconds=3 * seconds,
            users=OVERLOADING_USERS,
        )
        return [
            {
                "asked_per_s": round((len(load.latencies) + load.failures) / load.seconds),
                **_figures(load),
                "longest_ms": round(max(load.latencies, default=0)),
                "refusal_p50_ms": round(median(load.refused or [0]), 1),
                "refusal_p99_ms": round(p99_of(load.refused or [0]), 1),
                "mb_before": before,
                "mb": _memory(process),
            }
        ]


@contextmanager
def _product(
    model: Model, settings: dict[str, str] | None = None
) -> Iterator[tuple[Server, RunningServer]]:
    server = product(model, free_ports(PORTS), settings)
    with running_server(server.command) as process:
        _load(server, connections=4, seconds=4)  # warms up
        yield server, process


def _load(server: Server, *, connections: int, seconds: float) -> Load:
    request = server.endpoints[0].request(usual().jpeg)
    return closed_loop(request, connections=connections, seconds=seconds)


def _figures(load: Load) -> dict[str, float]:
    return {
        "per_s": round(load.throughput, 2),
        "p50_ms": round(load.p50, 2),
        "p99_ms": round(load.p99, 2),
        "refused": len(load.refused),
        "failed": load.failures - len(load.refused),
    }


def _memory(process: RunningServer) -> dict[str, int]:
    """Megabytes of each kind of process."""
    kinds: dict[str, int] = {}
    for each in psutil.Process(process.child.process.pid).children(recursive=True):
        line = " ".join(each.cmdline())
        kind = next((name for name in ("java", "worker", "gateway") if name in line), "other")
        kinds[kind] = kinds.get(kind, 0) + round(each.memory_info().rss / 1e6)
    return kinds


def table(title: str, rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown section with a table."""
    names = list(rows[0])
    lines = [f"## {title}", row(names), row(["---"] * len(names))]
    lines += [row([str(figures[name]) for name in names]) for figures in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    model = prepare("bundled")
    parts: dict[str, list[Any]] = {
        "Throughput against workers": by_workers(model, options.seconds),
        "Latency against picture size": by_size(model, options.seconds),
        "The gateway before a back end that answers at once": gateway_capacity(
            model, options.seconds
        ),
        "Memory against requests in flight": by_requests_in_flight(model, options.seconds),
        f"{OVERLOAD} times as much as can be given": overload(model, options.seconds),
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(parts, indent=2) + "\n")
    text = "\n".join(table(title, rows) for title, rows in parts.items())
    options.output.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
