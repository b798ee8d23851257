"""A real Prometheus scrapes a real gateway; the deployed rules and dashboard find their data."""

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from gateway.registry.records import SHADOW
from tests.telemetry.prometheus import ROOT, Prometheus, prometheus
from tests.unit.gateway.doubles import FORM_TYPE, TorchServeDouble, application, form, part, serving

RECIPES = ROOT / "docs" / "recipes.md"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "segserve.json"
IMAGES = 20
COUNTED = 'segserve_images_total{model="deeplabv3",version="1.0"}'
COMPARED = 'segserve_shadow_images_total{shadow="1.1",outcome="compared"}'


@pytest.fixture(scope="module")
def torchserve() -> TorchServeDouble:
    """TorchServe's double behind the gateway, with a shadow that gets all images."""
    double = TorchServeDouble()
    double.versions["1.1"] = 1
    double.aliases, double.shadow_percent = {SHADOW: "1.1"}, 100
    return double


@pytest.fixture(scope="module")
def gateway(torchserve: TorchServeDouble) -> Iterator[int]:
    """The port of a gateway that listens."""
    with serving(application(torchserve)) as port:
        yield port


@pytest.fixture(scope="module")
def client(gateway: int) -> Iterator[httpx.Client]:
    """A client of the gateway."""
    with httpx.Client(base_url=f"http://127.0.0.1:{gateway}", trust_env=False) as http_client:
        yield http_client


@pytest.fixture(scope="module")
def server(gateway: int, client: httpx.Client) -> Iterator[Prometheus]:
    """A Prometheus that scraped before and after the images."""
    with prometheus(gateway) as running:
        running.wait_for("segserve_model_ready", lambda values: values == [1])
        # A rate needs a first value and a second one.
        send(client, 1)
        running.wait_for(COUNTED, lambda values: values == [1])
        running.wait_for(COMPARED, lambda values: values == [1])
        send(client, IMAGES - 1)
        yield running


def send(client: httpx.Client, count: int) -> None:
    """Send so many images, and one request for an unknown route."""
    for _ in range(count):
        body = form(part(b"a photo"))
        response = client.post("/segmentation", content=body, headers={"Content-Type": FORM_TYPE})
        assert response.status_code == 200
    assert client.get("/nope").status_code == 404


def test_the_target_is_up(server: Prometheus) -> None:
    """The target has the job name that the rules expect."""
    assert server.wait_for('up{job="segserve"}', lambda values: values == [1]) == [1]
    (target,) = server.targets()
    assert target["lastError"] == ""


def test_images_are_counted(server: Prometheus) -> None:
    """Images are counted by model and version."""
    assert server.wait_for(COUNTED, lambda values: values == [IMAGES]) == [IMAGES]


def test_requests_have_a_duration(server: Prometheus) -> None:
    """A quantile of the request duration is plausible."""
    query = "segserve:request_duration_seconds:p99_5m"
    (seconds,) = server.wait_for(query, lambda values: len(values) == 1 and values[0] > 0)
    assert seconds < 5


def test_every_rule_is_evaluated(server: Prometheus) -> None:
    """No rule has an evaluation error."""
    server.wait_for("segserve:requests:rate5m", lambda values: len(values) > 0)
    assert {rule["name"] for rule in server.rules() if rule["health"] != "ok"} == set()


def test_no_alert_fires_on_a_calm_day(server: Prometheus) -> None:
    """No alert fires without a problem."""
    alerts = [rule for rule in server.rules() if rule["type"] == "alerting"]
    assert {rule["name"] for rule in alerts if rule["state"] == "firing"} == set()
    assert len(alerts) > 3


def test_every_query_of_the_dashboard_is_one(server: Prometheus) -> None:
    """Every query of the dashboard is valid, and most have data after a few images."""
    server.wait_for("segserve:class_pixels:share1h", lambda values: len(values) > 1)
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    shown = [query for query in queries if server.query(query.replace("$job", "segserve"))]
    # Confidences need a worker that sends them, and a day before; errors have not happened.
    assert len(shown) >= len(queries) - 5, set(queries) - set(shown)


def test_every_query_of_the_recipes_has_a_result(server: Prometheus) -> None:
    """Every query of the recipes has data after a few images, one of them with a person."""
    queries = re.findall(r"```promql\n(.*?)```", RECIPES.read_text(), re.DOTALL)
    assert len(queries) == 3
    for query in queries:
        server.wait_for(query, lambda values: len(values) > 0 and values[0] > 0)


def test_a_model_that_goes_away_is_seen(server: Prometheus, torchserve: TorchServeDouble) -> None:
    """The metric follows TorchServe's state without requests."""
    torchserve.down = httpx.ConnectError("gone")
    server.wait_for("segserve_model_ready", lambda values: values == [0])
    torchserve.down = None
    server.wait_for("segserve_model_ready", lambda values: values == [1])
