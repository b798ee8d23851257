"""promtool accepts the deployed configuration, and each alert fires when it should."""

import subprocess

import pytest

from gateway.telemetry.metrics import Metrics
from tests.telemetry.prometheus import DEPLOYED
from tests.unit.gateway.doubles import settings


def promtool(*arguments: str, stdin: bytes = b"") -> str:
    """Run promtool in the folder of the rules and return its output; fails with its exit status."""
    process = subprocess.run(
        ["promtool", *arguments],
        cwd=DEPLOYED,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = process.stdout.decode()
    assert process.returncode == 0, output
    return output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("check", "config", "prometheus.yml"), "SUCCESS"),
        (("check", "rules", "rules.yml"), "SUCCESS"),
        (("test", "rules", "rules_test.yml"), "SUCCESS"),
    ],
)
def test_promtool_is_content(arguments: tuple[str, ...], expected: str) -> None:
    """Configuration, rules and the tests of the rules pass."""
    assert expected in promtool(*arguments)


def test_the_metrics_names_are_good_ones() -> None:
    """The metrics pass promtool's check of Prometheus' naming conventions."""
    metrics = Metrics(settings())
    metrics.watch(lambda: 0, lambda: 0, lambda: 0)
    metrics.ended("/segmentation", "POST", 200, 0.1)
    metrics.failed("not_found")
    metrics.workers("deeplabv3", True, {"1.0": 2})
    version = ("deeplabv3", "1.0")
    metrics.images.of(*version).stage("read", 0.1)
    metrics.images.of(*version).image("0.9")
    metrics.images.of(*version).classes("0=1", "0=0.5", {0: "background"})
    assert promtool("check", "metrics", stdin=metrics.exposition()) == ""
