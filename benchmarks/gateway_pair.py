"""Two gateways side by side: ``segserve bench gateway --against FOLDER``.

Both checkouts' gateways run before the same fake TorchServe, and are loaded in turn. Writes
benchmarks/results/gateway.json and .md: the medians of the ratios within each round, with 95 %
bootstrap intervals, of throughput and of the CPU time per request. ``--against .`` shows the
noise of the machine.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks.comparison.report import row
from benchmarks.load.loops import LoadError, Request, closed_loop
from benchmarks.servers.gateway_alone import fake_torchserve, gateway_alone
from benchmarks.servers.recorded_responses import recorded_responses
from benchmarks.servers.server_process import RunningServer, ServerError, running_server
from benchmarks.servers.systems_under_test import PORTS, form, product
from benchmarks.setup.environments import InstallationError
from benchmarks.setup.models import ModelError, prepare
from benchmarks.setup.photographs import usual
from benchmarks.setup.ports import free_ports
from benchmarks.setup.settings import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "gateway.json"
RESAMPLES = 4000
FAULTS = (InstallationError, LoadError, ModelError, ServerError)

Gateway = tuple[str, RunningServer]


@dataclass(frozen=True)
class Cost:
    """A loaded gateway: responses per second, CPU milliseconds per request."""

    per_s: float
    cpu_ms: float


@dataclass(frozen=True)
class Ratio:
    """A median of ratios and its 95 % interval."""

    median: float
    low: float
    high: float


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Ratio of paired figures, with a bootstrap interval that is the same at each call."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    pick = random.Random(0)  # noqa: S311 - statistics, no secret
    medians = sorted(median(pick.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    tail = RESAMPLES // 40
    return Ratio(median(ratios), medians[tail], medians[-tail - 1])


def rounds_of(
    ours: Gateway, theirs: Gateway, connections: int, seconds: float, rounds: int
) -> Iterator[tuple[Cost, Cost]]:
    """Load two gateways in turn; each round begins with the other one. Raises LoadError."""
    for gateway in (ours, theirs):
        cost_of(gateway, connections, 2.0)  # warms up
    for number in range(rounds):
        order = (ours, theirs) if number % 2 else (theirs, ours)
        costs = {gateway[0]: cost_of(gateway, connections, seconds) for gateway in order}
        yield costs[ours[0]], costs[theirs[0]]


def cost_of(gateway: Gateway, connections: int, seconds: float) -> Cost:
    """Load a gateway. Raises LoadError if a request fails."""
    url, server = gateway
    process = psutil.Process(server.child.process.pid)
    before = sum(process.cpu_times()[:2])
    request = Request(f"{url}/segmentation", *form(usual().jpeg))
    load = closed_loop(request, connections=connections, seconds=seconds)
    if load.failures:
        raise LoadError(f"{url}: {load.failures} requests failed")
    spent = sum(process.cpu_times()[:2]) - before
    return Cost(load.throughput, 1e3 * spent / len(load.latencies))


def figures(measured: Sequence[tuple[Cost, Cost]]) -> dict[str, Ratio]:
    """Ratios ours to theirs: throughput (more is better), CPU time per request (less is better)."""
    ours, theirs = zip(*measured, strict=True)
    return {
        "throughput": ratio_of([cost.per_s for cost in ours], [cost.per_s for cost in theirs]),
        "cpu": ratio_of([cost.cpu_ms for cost in ours], [cost.cpu_ms for cost in theirs]),
    }


def table(results: dict[int, dict[str, Ratio]]) -> str:
    """Markdown: a row for each number of connections."""
    lines = [row(["connections", "throughput", "CPU per request"]), row(["---"] * 3)]
    for connections, ratios in results.items():
        cells = [f"{r.median:.3f} ({r.low:.3f} to {r.high:.3f})" for r in ratios.values()]
        lines.append(row([str(connections), *cells]))
    return "\n".join(lines) + "\n"


@contextmanager
def _gateways(other: Path) -> Iterator[tuple[Gateway, Gateway]]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        answers = Path(folder) / "answers.json"
        model = prepare("bundled")
        server = product(model, free_ports(PORTS))
        with running_server(server.command):
            answers.write_text(json.dumps(recorded_responses(server)))
        torchserve = stack.enter_context(fake_torchserve(answers))
        ours = stack.enter_context(gateway_alone(torchserve, model.archive))
        yield ours, stack.enter_context(gateway_alone(torchserve, model.archive, other))


def main() -> int:
    """Measure and write; 0 when complete."""
    parser = argparse.ArgumentParser(prog="segserve bench gateway", description=__doc__)
    parser.add_argument("--against", type=Path, required=True, help="another checkout")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    results: dict[int, dict[str, Ratio]] = {}
    try:
        with _gateways(options.against.resolve()) as pair:
            for connections in options.connections:
                measured = [*rounds_of(*pair, connections, options.seconds, options.rounds)]
                results[connections] = figures(measured)
    except FAULTS as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        return 1
    plain = {n: {name: asdict(r) for name, r in each.items()} for n, each in results.items()}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(plain, indent=2) + "\n")
    options.output.with_suffix(".md").write_text(table(results))
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
