"""Reports of a comparison: a Markdown table and a plot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.servers.systems_under_test import COMPETITORS, GATEWAY, PROTOTYPE, TORCHSERVE
from benchmarks.setup.settings import ENGINE, NEWCOMER

mpl.use("Agg")

# (key, meaning, target for the small networks, target for ResNet101)
ROWS = (
    ("vs_engine", "gateway / engine limit, throughput", "≥ 0.85", "≥ 0.95"),
    ("vs_prototype", "gateway / prototype's stack, throughput", "≥ 6", "≥ 10"),
    ("latency_vs_prototype", "gateway / prototype's stack, median latency", "≤ 0.25", "≤ 0.125"),
    *((f"vs_{name}", f"gateway / {name}, our engine code", "≥ 1", "≥ 1") for name in COMPETITORS),
    *(
        (f"vs_{name}_newcomer", f"gateway / {name}, as a newcomer writes it", "≥ 3", "≥ 5")
        for name in COMPETITORS
    ),
    ("gateway_overhead_ms", "what the gateway adds, median, ms", "≤ 3", "≤ 3"),
    ("p50_ms", "median latency, one connection, ms", "", ""),
    ("p99_over_p50_at_80pct", "p99 / p50 at 80 % load", "≤ 2", "≤ 2"),
    ("rss_mb", "resident memory, MB", "", ""),
    ("startup_s", "start to first answer, s", "", ""),
)


def table(results: Mapping[str, Any], models: list[str]) -> str:
    """Markdown: a row for each figure, a column for each model with the spread of the rounds.

    Failed requests are listed below it.
    """
    head = ["figure", *(_title(model, results) for model in models), "wanted", "of ResNet101"]
    lines = [row(head), row(["---"] * len(head))]
    for key, text, wanted, wanted_large in ROWS:
        cells = [_cell(results[model], key) for model in models]
        lines.append(row([text, *cells, wanted, wanted_large]))
    lines += [f"\n{model}: {text}" for model in models if (text := _failures(results[model]))]
    return "\n".join(lines) + "\n"


def _failures(figures: Mapping[str, Any]) -> str:
    counts = {
        name: sum(load["failures"] for load in _all_loads(found))
        for name, found in figures["detail"].items()
    }
    failed = [f"{name} {count}" for name, count in counts.items() if count]
    return f"requests without a mask: {', '.join(failed)}" if failed else ""


def _all_loads(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*found["loads"], *([found["steady"]] if "steady" in found else [])]


def row(cells: list[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def _title(model: str, results: Mapping[str, Any]) -> str:
    """The model's name with its number of rounds, as a run may have been stopped."""
    rounds = results[model]["rounds"]
    return f"{model}, {rounds} round{'s' if rounds != 1 else ''}"


def _cell(figures: Mapping[str, Any], key: str) -> str:
    if key not in figures:
        return "not measured"
    spread = figures["spread"][key]
    return f"{spread['median']:.4g} ({spread['least']:.4g} to {spread['most']:.4g})"


def plot(results: Mapping[str, Any], models: list[str], path: Path) -> None:
    """Plot the throughput of all servers as a PNG, one panel for each model."""
    figure = Figure(figsize=(5 * len(models), 4.2), layout="constrained")
    for index, model in enumerate(models):
        axes = figure.add_subplot(1, len(models), index + 1)
        bars = _bars(results[model])
        colours = ["tab:blue" if name == GATEWAY else "tab:gray" for name in bars]
        axes.barh(list(bars), list(bars.values()), color=colours)
        axes.axvline(results[model]["engine_per_s"], color="tab:red", linestyle="--")
        axes.invert_yaxis()
        axes.set_title(_title(model, results), fontsize=10)
        axes.set_xlabel("pictures per second; dashed: the engine alone", fontsize=9)
    figure.savefig(path, dpi=110)


def _bars(figures: Mapping[str, Any]) -> dict[str, float]:
    detail = figures["detail"]
    names = [GATEWAY, TORCHSERVE, PROTOTYPE]
    names += [f"{name}_{variant}" for variant in (ENGINE, NEWCOMER) for name in COMPETITORS]
    usual = detail[GATEWAY]["loads"][0]["photograph"]
    return {
        name: max(load["per_s"] for load in detail[name]["loads"] if load["photograph"] == usual)
        for name in names
        if name in detail
    }
