"""Prometheus' own checker accepts what is deployed, and each alert fires when it should."""

import subprocess

import pytest

from gateway.telemetry.metrics import Metrics
from tests.telemetry.prometheus import DEPLOYED
from tests.unit.gateway.doubles import settings


def promtool(*arguments: str, given: bytes = b"") -> str:
    """Runs it in the folder of the rules; what it said, if it was content."""
    done = subprocess.run(
        ["promtool", *arguments],
        cwd=DEPLOYED,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode()
    assert done.returncode == 0, said
    return said


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("check", "config", "prometheus.yml"), "SUCCESS"),
        (("check", "rules", "rules.yml"), "SUCCESS"),
        (("test", "rules", "rules_test.yml"), "SUCCESS"),
    ],
)
def test_promtool_is_content(arguments: tuple[str, ...], answer: str) -> None:
    """Configuration, rules, and the rules' own tests."""
    assert answer in promtool(*arguments)


def test_the_metrics_names_are_good_ones() -> None:
    """promtool has Prometheus' conventions as a checker: units, suffixes, help."""
    metrics = Metrics(settings())
    metrics.watch(lambda: 0, lambda: 0, lambda: 0)
    metrics.ended("/segmentation", "POST", 200, 0.1)
    metrics.failed("not_found")
    metrics.workers("deeplabv3", True, {"1.0": 2})
    of = ("deeplabv3", "1.0")
    metrics.images.of(*of).stage("read", 0.1)
    metrics.images.of(*of).image("0.9")
    metrics.images.of(*of).classes("0=1", "0=0.5", {0: "background"})
    assert promtool("check", "metrics", given=metrics.exposition()) == ""
