"""A node's report, read from whatever JSON was kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.traffic.report import Report, VersionReport, read_report
from tests.unit.gateway.traffic.models import raw_report

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def test_a_report_is_read() -> None:
    """With every field."""
    raw = raw_report(reason="why", loaded_at="2026-11-29T00:00:00Z", answered_s=1)
    version = VersionReport("abc", "ready", 2, 2, "why", "2026-11-29T00:00:00Z", 1.0)
    models = {"deeplabv3": {"1.0": version}}
    expected = Report("a", "http://a:8080", "a-token", "loading deeplabv3 2.0", 500, models)
    assert read_report("a", "http://a:8080", raw) == expected


@pytest.mark.parametrize("raw", [{}, {"models": []}, {"models": {"m": 1}}, {"token": 3}])
def test_what_is_missing_is_left_out(raw: dict[str, Any]) -> None:
    """An older agent may report less."""
    report = read_report("a", "b", raw)
    assert sum(map(len, report.models.values())) == 0


@given(st.dictionaries(st.sampled_from(["models", "token", "doing", "free_memory_mb"]), JSON))
def test_any_json_is_a_report(raw: dict[str, Any]) -> None:
    """What is of another type counts as missing."""
    report = read_report("a", "b", raw)
    versions = [each for versions in report.models.values() for each in versions.values()]
    assert all(each.ready >= 0 and each.wanted >= 0 for each in versions)


def test_workers_are_never_fewer_than_none() -> None:
    """A load would be divided by them."""
    report = read_report("a", "b", raw_report(ready=-3))
    assert report.models["deeplabv3"]["1.0"].ready == 0
