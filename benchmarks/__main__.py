"""``segserve bench``: the product and its competitors, side by side.

Writes benchmarks/results/latest.json, and beside it a table (.md) and a plot (.png).
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from tqdm import tqdm

from benchmarks.comparison.figures import figures
from benchmarks.comparison.report import plot, table
from benchmarks.comparison.rounds import BenchmarkError, Plan, Round, measure
from benchmarks.load.loops import LoadError
from benchmarks.servers.server_process import ServerError
from benchmarks.servers.systems_under_test import (
    COMPETITORS,
    PORTS,
    PRODUCT,
    PROTOTYPE,
    all_servers,
)
from benchmarks.setup.environments import InstallationError, interpreter_of
from benchmarks.setup.models import NAMES, ModelError, prepare
from benchmarks.setup.photographs import photographs, usual
from benchmarks.setup.ports import free_ports
from benchmarks.setup.settings import ROOT

FAULTS = (
    BenchmarkError,
    InstallationError,
    LoadError,
    ModelError,
    ServerError,
    SubprocessError,  # of the engine alone, or of a load that does not end
)
INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended
RESULTS = ROOT / "benchmarks" / "results" / "latest.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; 0 when complete. An early end keeps the rounds measured until then."""
    options = _parse(arguments)
    plan = quick_plan(options.rounds or 1) if options.quick else full_plan(options.rounds or 5)
    models = options.models or (["bundled"] if options.quick else list(NAMES))
    text = ""
    try:
        for name in ("locust", *(set(COMPETITORS) & set(options.servers or COMPETITORS))):
            interpreter_of(name)
        results: dict[str, Any] = {"run": _facts(plan, quick=options.quick)}
        for name in models:
            rounds: list[Round] = []
            for turn in _rounds(name, plan, options.servers):
                rounds.append(turn)
                results[name] = figures(rounds, plan)
                text = _write(options.output, results)
    except FAULTS as exc:
        return _ended(text, str(exc), 1)
    except KeyboardInterrupt:
        return _ended(text, "stopped", INTERRUPTED)
    print(text)
    return 0


def _ended(text: str, why: str, status: int) -> int:
    print(text)
    until = "the table has the rounds until then" if text else "before the end of a round"
    print(f"benchmarks: {why}; {until}", file=sys.stderr)
    return status


def full_plan(rounds: int) -> Plan:
    """The plan of the documented figures."""
    return Plan(rounds, 3.0, 3.0, (1, 2, 4, 8), photographs(), open_seconds=10.0)


def quick_plan(rounds: int) -> Plan:
    """A plan of minutes: short rounds of the usual photograph."""
    return Plan(rounds, 2.0, 3.0, (1, 4), (usual(),), open_seconds=5.0)


def _rounds(name: str, plan: Plan, wanted: Sequence[str] | None) -> Iterator[Round]:
    """Measure a model round by round; with random weights on the usual photograph only.

    Larger ones cost the network nothing.
    """
    model = prepare(name)
    if not model.is_proved:
        plan = replace(plan, photographs=(plan.usual,))
    servers = [
        server
        for server in all_servers(model, free_ports(PORTS))
        if wanted is None or any(server.name.startswith(part) for part in (PRODUCT, *wanted))
    ]
    yield from tqdm(
        measure(model, servers, plan), f"{name}, rounds", total=plan.rounds, disable=None
    )


def _facts(plan: Plan, *, quick: bool) -> dict[str, object]:
    """The conditions of the run: machine, packages, plan."""
    packages = ("torch", "torchvision", "openvino", "torchserve", "fastapi", "uvicorn")
    return {
        "quick": quick,
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "connections": plan.connections,
        "photographs": {each.name: each.size for each in plan.photographs},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "processor": _processor(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


def _processor() -> str:
    """The CPU's name, where the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")


def _write(path: Path, results: dict[str, Any]) -> str:
    """Write the results after each round; returns the table."""
    models = [name for name in NAMES if name in results]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(results, indent=2) + "\n")
    unfinished.replace(path)
    text = table(results, models)
    path.with_suffix(".md").write_text(text)
    plot(results, models, path.with_suffix(".png"))
    return text


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short, bundled model only")
    parser.add_argument("--rounds", type=int, help="5, or 1 if quick")
    parser.add_argument("--models", nargs="+", choices=NAMES)
    parser.add_argument("--servers", nargs="+", choices=(PROTOTYPE, *COMPETITORS))
    parser.add_argument("--output", type=Path, default=RESULTS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
