"""A real Prometheus scrapes a real gateway, and what is deployed finds its data."""

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.telemetry.prometheus import ROOT, Prometheus, prometheus
from tests.unit.gateway.doubles import FORM_TYPE, TorchServeDouble, application, form, part, serving

RECIPES = ROOT / "docs" / "recipes.md"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "segserve.json"
IMAGES = 20
COUNTED = 'segserve_images_total{model="deeplabv3",version="1.0"}'


@pytest.fixture(scope="module")
def torchserve() -> TorchServeDouble:
    """What stands behind the gateway."""
    return TorchServeDouble()


@pytest.fixture(scope="module")
def gateway(torchserve: TorchServeDouble) -> Iterator[int]:
    """The port of a gateway that really listens."""
    with serving(application(torchserve)) as port:
        yield port


@pytest.fixture(scope="module")
def client(gateway: int) -> Iterator[httpx.Client]:
    """A client of it."""
    with httpx.Client(base_url=f"http://127.0.0.1:{gateway}", trust_env=False) as found:
        yield found


@pytest.fixture(scope="module")
def watched(gateway: int, client: httpx.Client) -> Iterator[Prometheus]:
    """A Prometheus that has scraped before the images came, and after."""
    with prometheus(gateway) as found:
        found.wait_for("segserve_model_ready", lambda values: values == [1])
        # A rate needs a first value and a second one.
        send(client, 1)
        found.wait_for(COUNTED, lambda values: values == [1])
        send(client, IMAGES - 1)
        yield found


def send(client: httpx.Client, count: int) -> None:
    """Has so many images segmented, and makes a mistake."""
    for _ in range(count):
        body = form(part(b"a photo"))
        answer = client.post("/segmentation", content=body, headers={"Content-Type": FORM_TYPE})
        assert answer.status_code == 200
    assert client.get("/nope").status_code == 404


def test_the_target_is_up(watched: Prometheus) -> None:
    """Under the name that the rules expect."""
    assert watched.wait_for('up{job="segserve"}', lambda values: values == [1]) == [1]
    (target,) = watched.targets()
    assert target["lastError"] == ""


def test_images_are_counted(watched: Prometheus) -> None:
    """By model and version."""
    assert watched.wait_for(COUNTED, lambda values: values == [IMAGES]) == [IMAGES]


def test_requests_have_a_duration(watched: Prometheus) -> None:
    """A quantile of the histogram lies where the answers do."""
    query = "segserve:request_duration_seconds:p99_5m"
    (seconds,) = watched.wait_for(query, lambda values: len(values) == 1 and values[0] > 0)
    assert seconds < 5


def test_every_rule_is_evaluated(watched: Prometheus) -> None:
    """Without an error."""
    watched.wait_for("segserve:requests:rate5m", lambda values: len(values) > 0)
    assert {rule["name"] for rule in watched.rules() if rule["health"] != "ok"} == set()


def test_no_alert_fires_on_a_calm_day(watched: Prometheus) -> None:
    """Whoever is woken once for nothing looks away the next time."""
    alerts = [rule for rule in watched.rules() if rule["type"] == "alerting"]
    assert {rule["name"] for rule in alerts if rule["state"] == "firing"} == set()
    assert len(alerts) > 3


def test_every_query_of_the_dashboard_is_one(watched: Prometheus) -> None:
    """Prometheus understands each, and most have something to show after a few images."""
    watched.wait_for("segserve:class_pixels:share1h", lambda values: len(values) > 1)
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    shown = [query for query in queries if watched.query(query.replace("$job", "segserve"))]
    # Confidences need a worker that sends them, and a day before; errors have not happened.
    assert len(shown) >= len(queries) - 5, set(queries) - set(shown)


def test_every_query_of_the_recipes_has_an_answer(watched: Prometheus) -> None:
    """A few images suffice, one of them with a person."""
    queries = re.findall(r"```promql\n(.*?)```", RECIPES.read_text(), re.DOTALL)
    assert len(queries) == 3
    for query in queries:
        watched.wait_for(query, lambda values: len(values) > 0 and values[0] > 0)


def test_a_model_that_goes_away_is_seen(watched: Prometheus, torchserve: TorchServeDouble) -> None:
    """At the next scrapes, without a request of anybody."""
    torchserve.down = httpx.ConnectError("gone")
    watched.wait_for("segserve_model_ready", lambda values: values == [0])
    torchserve.down = None
    watched.wait_for("segserve_model_ready", lambda values: values == [1])
