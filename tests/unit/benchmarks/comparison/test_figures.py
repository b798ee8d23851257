"""The reported figures are ratios within a round, and their medians over the rounds."""

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.comparison.figures import figures
from benchmarks.comparison.report import ROWS, plot, table
from benchmarks.comparison.rounds import Latencies, Measurement, Plan, Round
from benchmarks.load.loops import Load
from benchmarks.setup.photographs import usual

PLAN = Plan(3, 1.0, 1.0, (1, 4), (usual(),), open_seconds=1.0)


def _load(per_s: float, ms: float, failures: int = 0) -> Load:
    return Load(1.0, (ms,) * int(per_s), failures)


def _measured(alone: float, four: float, ms: float) -> Measurement:
    closed = {("0.3 MP", 1): _load(alone, ms), ("0.3 MP", 4): _load(four, 4 * ms)}
    steady = Load(1.0, (10.0,) * 98 + (15.0,) * 2, 0)
    return Measurement(5.0, 1000.0, closed, Latencies(steady, added_ms=2.0))


def _round(gateway: float, engine: float = 50.0) -> Round:
    return Round(
        engine,
        {
            "gateway": _measured(20, gateway, 30.0),
            "torchserve": _measured(22, gateway + 5, 28.0),
            "prototype": _measured(5, 4, 200.0),
            "litserve_engine": _measured(18, 20, 35.0),
            "litserve_newcomer": _measured(4, 2, 250.0),
        },
    )


def test_ratios_are_of_each_ones_best_load() -> None:
    """The prototype is fastest with one connection, the product with four."""
    result = figures([_round(40)], PLAN)
    assert result["vs_engine"] == 0.8
    assert result["vs_prototype"] == 8.0
    assert result["vs_litserve"] == 2.0
    assert result["vs_litserve_newcomer"] == 10.0


def test_latencies_are_of_one_connection() -> None:
    """The tail is that of the steady rate."""
    result = figures([_round(40)], PLAN)
    assert (result["p50_ms"], result["gateway_overhead_ms"]) == (30.0, 2.0)
    assert result["latency_vs_prototype"] == 0.15
    assert result["p99_over_p50_at_80pct"] == 1.5
    assert (result["rss_mb"], result["startup_s"]) == (1000.0, 5.0)


def test_rounds_are_reported_by_median_least_and_most() -> None:
    """A ratio is computed within its round, under the same conditions."""
    result = figures([_round(40, 50), _round(30, 60), _round(45, 50)], PLAN)
    assert result["vs_engine"] == 0.8
    spread = result["spread"]
    assert isinstance(spread, dict)
    assert spread["vs_engine"] == {"median": 0.8, "least": 0.5, "most": 0.9}


def test_an_unmeasured_server_has_no_figure() -> None:
    """The figure is absent rather than zero."""
    result = figures([_round(40)], PLAN)
    assert "vs_mlserver" not in result
    assert "not measured" in table({"bundled": result}, ["bundled"])


def test_the_result_is_json_with_every_load() -> None:
    """Counts, latencies and failures of each load."""
    result = json.loads(json.dumps(figures([_round(40), _round(42)], PLAN)))
    four = result["detail"]["gateway"]["loads"][1]
    assert (four["connections"], four["per_s"], four["p50_ms"]) == (4, 41.0, 120.0)
    assert four["failures"] == 0


def test_the_table_has_a_row_for_each_figure() -> None:
    """With the spread of the rounds and the target."""
    text = table({"bundled": figures([_round(40), _round(45)], PLAN)}, ["bundled"])
    assert len(text.splitlines()) == len(ROWS) + 2
    assert text.startswith("| figure | bundled, 2 rounds | wanted |")
    assert "| gateway / engine limit, throughput | 0.85 (0.8 to 0.9) | ≥ 0.85 | ≥ 0.95 |" in text


@pytest.mark.parametrize("models", [["bundled"], ["bundled", "deeplabv3_resnet101"]])
def test_the_plot_is_a_picture(tmp_path: Path, models: list[str]) -> None:
    """A PNG with one panel for each model."""
    result = figures([_round(40)], PLAN)
    plot(dict.fromkeys(models, result), models, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.format == "PNG"
        assert picture.width == len(models) * 550


def test_a_load_that_only_some_rounds_have_is_left_out_of_the_detail() -> None:
    """Its median would be over other rounds than the others'."""
    turns = [_round(40), _round(42)]
    del turns[0].endpoints["prototype"].closed["0.3 MP", 4]
    result = json.loads(json.dumps(figures(turns, PLAN)))
    loads = {name: len(each["loads"]) for name, each in result["detail"].items()}
    assert (loads["prototype"], loads["gateway"]) == (1, 2)
    assert result["rounds"] == 2


def test_failed_requests_are_reported_with_the_table() -> None:
    """Failures of any load are named; without failures there is no line."""
    turn = _round(40)
    result = figures([turn], PLAN)
    assert "without a mask" not in table({"bundled": result}, ["bundled"])
    turn.endpoints["prototype"].closed["0.3 MP", 4] = _load(4, 800.0, failures=3)
    latencies = turn.endpoints["gateway"].latencies
    assert latencies is not None
    steady = Load(1.0, latencies.steady.latencies, failures=2)
    turn.endpoints["gateway"].latencies = Latencies(steady, added_ms=2.0)
    result = figures([turn], PLAN)
    text = table({"bundled": result}, ["bundled"])
    assert "bundled: requests without a mask: gateway 2, prototype 3" in text
