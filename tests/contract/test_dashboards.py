"""Rules, dashboard and documentation agree with the gateway's metrics."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import Settings
from gateway.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "segserve.json"
SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
    "gauge": ("",),
}
USED = re.compile(r"\b(?:segserve|process)_[a-z0-9_]+")
RECORDED = re.compile(r"\bsegserve:[a-z0-9_:]+")


def metrics() -> dict[str, str]:
    """Name -> type of every metric family of a gateway."""
    gateway_metrics = Metrics(Settings.model_construct())
    gateway_metrics.watch(lambda: 0, lambda: 0, lambda: 0)
    return {family.name: family.type for family in gateway_metrics.registry.collect()}


def series() -> set[str]:
    """The series names that a query may use."""
    return {name + suffix for name, kind in metrics().items() for suffix in SUFFIXES[kind]}


def rules() -> list[dict[str, Any]]:
    """All rules of all groups."""
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """All panels of the dashboard."""
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return panels


def queries() -> list[str]:
    """All expressions of rules and dashboard."""
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + shown


def test_every_metric_in_a_query_exists() -> None:
    """No query refers to a missing metric, whose panel would stay empty."""
    used = {name for query in queries() for name in USED.findall(query)}
    assert used - series() == set()
    assert len(used) > 10


def test_every_recorded_name_in_a_query_is_recorded() -> None:
    """Recorded names are used, and have a recording rule."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert {name for query in queries() for name in RECORDED.findall(query)} == recorded


def test_every_metric_is_used() -> None:
    """Every metric is used by a panel or a rule."""
    used = {name for query in queries() for name in USED.findall(query)}
    ours = {name: kind for name, kind in metrics().items() if name.startswith("segserve_")}
    unseen = {
        name
        for name, kind in ours.items()
        if used.isdisjoint(name + suffix for suffix in SUFFIXES[kind])
    }
    assert unseen == set()


def test_every_metric_is_documented() -> None:
    """The table in docs/telemetry.md has exactly the gateway's metrics."""
    page = (ROOT / "docs" / "telemetry.md").read_text()
    rows = re.findall(r"^\| `(segserve_\w+)` \|", page, re.MULTILINE)
    there = {
        f"{name}_total" if kind == "counter" else name
        for name, kind in metrics().items()
        if name.startswith("segserve_")
    }
    assert sorted(rows) == sorted(there)


def test_every_alert_is_documented() -> None:
    """The table in docs/telemetry.md has exactly the alerts."""
    page = (ROOT / "docs" / "telemetry.md").read_text()
    alerts = [rule["alert"] for rule in rules() if "alert" in rule]
    assert re.findall(r"^\| `(Segserve\w+)` \|", page, re.MULTILINE) == alerts


@pytest.mark.parametrize("rule", [r for r in rules() if "alert" in r], ids=lambda r: r["alert"])
def test_every_alert_says_what_is_wrong(rule: dict[str, Any]) -> None:
    """An alert has a severity, a summary and a description."""
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "description"}


def test_every_alert_has_a_test() -> None:
    """`promtool test rules` lets every alert fire."""
    tests = yaml.safe_load(RULES.with_name("rules_test.yml").read_text())["tests"]
    fired = {
        each["alertname"]
        for test in tests
        for each in test.get("alert_rule_test", [])
        if each["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules() if "alert" in rule}


def test_the_panels_lie_beside_each_other() -> None:
    """Panels have unique ids and do not overlap on Grafana's 24 columns."""
    taken = [
        (x, y)
        for panel in panels()
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
