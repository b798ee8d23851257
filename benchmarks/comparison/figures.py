"""The reported figures: medians over the rounds of ratios within each round."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from benchmarks.comparison.rounds import Latencies, Measurement, Plan, Round
from benchmarks.load.loops import Load
from benchmarks.servers.systems_under_test import COMPETITORS, GATEWAY, PROTOTYPE
from benchmarks.setup.settings import ENGINE, NEWCOMER


@dataclass(frozen=True)
class Spread:
    """Median and range of a figure over the rounds."""

    median: float
    least: float
    most: float


def figures(rounds: Sequence[Round], plan: Plan) -> dict[str, object]:
    """The figures of one model.

    Throughputs are of the number of connections that suits a server best; latencies are of one
    connection. ``detail`` has every load, ``spread`` the least and most of each figure.
    """
    spreads = {name: _spread(rounds, of) for name, of in _measures(rounds, plan).items()}
    return {
        **{name: round(spread.median, 3) for name, spread in spreads.items()},
        "rounds": len(rounds),
        "spread": {
            name: {part: round(value, 3) for part, value in asdict(spread).items()}
            for name, spread in spreads.items()
        },
        "detail": detail(rounds),
    }


def _measures(rounds: Sequence[Round], plan: Plan) -> dict[str, Callable[[Round], float]]:
    """Figure -> its value in one round; servers that were not measured have none."""
    measured = rounds[0].endpoints.keys()
    made: dict[str, Callable[[Round], float]] = {
        "vs_engine": lambda turn: turn.endpoints[GATEWAY].capacity(plan.usual) / turn.engine_per_s,
        "engine_per_s": lambda turn: turn.engine_per_s,
        "gateway_per_s": lambda turn: turn.endpoints[GATEWAY].capacity(plan.usual),
        "p50_ms": lambda turn: _alone(turn.endpoints[GATEWAY], plan),
        "gateway_overhead_ms": lambda turn: _latencies(turn).added_ms,
        "p99_over_p50_at_80pct": lambda turn: _tail(_latencies(turn).steady),
        "rss_mb": lambda turn: turn.endpoints[GATEWAY].rss_mb,
        "startup_s": lambda turn: turn.endpoints[GATEWAY].startup_s,
    }
    if PROTOTYPE in measured:
        made["vs_prototype"] = lambda turn: _ratio(turn, PROTOTYPE, plan)
        made["latency_vs_prototype"] = lambda turn: (
            _alone(turn.endpoints[GATEWAY], plan) / _alone(turn.endpoints[PROTOTYPE], plan)
        )
    for name in COMPETITORS:
        for variant, key in ((ENGINE, f"vs_{name}"), (NEWCOMER, f"vs_{name}_newcomer")):
            endpoint = f"{name}_{variant}"
            if endpoint in measured:
                made[key] = lambda turn, endpoint=endpoint: _ratio(turn, endpoint, plan)  # type: ignore[misc]  # mypy knows no lambda with a default
    return made


def _spread(rounds: Sequence[Round], of: Callable[[Round], float]) -> Spread:
    values = [of(turn) for turn in rounds]
    return Spread(median(values), min(values), max(values))


def _ratio(turn: Round, other: str, plan: Plan) -> float:
    return turn.endpoints[GATEWAY].capacity(plan.usual) / turn.endpoints[other].capacity(plan.usual)


def _alone(measured: Measurement, plan: Plan) -> float:
    """Median latency in milliseconds at the fewest connections."""
    return measured.closed[plan.usual.name, min(plan.connections)].p50


def _latencies(turn: Round) -> Latencies:
    found = turn.endpoints[GATEWAY].latencies
    if found is None:
        raise ValueError("the gateway's latencies were not looked at")
    return found


def _tail(steady: Load) -> float:
    return steady.p99 / steady.p50


def detail(rounds: Sequence[Round]) -> Mapping[str, object]:
    """Endpoint -> start-up, memory and loads: medians over the rounds, sums of failures.

    ``steady``: the gateway's load at 80 % of its capacity.
    """
    found: dict[str, dict[str, object]] = {
        name: {
            "startup_s": _median(rounds, name, lambda each: each.startup_s),
            "rss_mb": _median(rounds, name, lambda each: each.rss_mb),
            "loads": [_load(rounds, name, key) for key in _common_loads(rounds, name)],
        }
        for name in rounds[0].endpoints
    }
    found[GATEWAY]["steady"] = _summary([_latencies(turn).steady for turn in rounds])
    return found


def _common_loads(rounds: Sequence[Round], name: str) -> list[tuple[str, int]]:
    """The loads of every round: a server near SLOW_MS may have some in a few rounds only."""
    every = [turn.endpoints[name].closed for turn in rounds]
    return [key for key in every[0] if all(key in closed for closed in every)]


def _median(rounds: Sequence[Round], name: str, of: Callable[[Measurement], float]) -> float:
    return round(median(of(turn.endpoints[name]) for turn in rounds), 3)


def _load(rounds: Sequence[Round], name: str, key: tuple[str, int]) -> dict[str, object]:
    loads = [turn.endpoints[name].closed[key] for turn in rounds]
    return {"photograph": key[0], "connections": key[1], **_summary(loads)}


def _summary(loads: Sequence[Load]) -> dict[str, object]:
    return {
        "per_s": round(median(load.throughput for load in loads), 3),
        "p50_ms": round(median(load.p50 for load in loads), 2),
        "p99_ms": round(median(load.p99 for load in loads), 2),
        "failures": sum(load.failures for load in loads),
    }
