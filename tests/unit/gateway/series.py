"""Readers of metrics, from a registry or from a scrape."""

import httpx
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry.metrics import Metrics
from gateway.telemetry.stages import StageClock, Stages
from gateway.telemetry.tracing import Tracing
from tests.unit.gateway.doubles import settings

Families = dict[str, Metric]


def values(registry: CollectorRegistry, name: str, label: str) -> dict[str, float]:
    """Value of a label -> value of the sample, over all series with a name."""
    return {
        sample.labels[label]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name
    }


async def scrape(gateway: httpx.AsyncClient) -> Families:
    """Name -> family, from GET /metrics."""
    response = await gateway.get("/metrics")
    assert response.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(response.text)}


def samples(families: Families, name: str) -> list[dict[str, str]]:
    """The labels of all series with a name whose value is not zero."""
    return [
        sample.labels
        for family in families.values()
        for sample in family.samples
        if sample.name == name and sample.value
    ]


def value(families: Families, name: str, **labels: str) -> float:
    """The value of one series."""
    (only,) = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return only


def idle_clock() -> StageClock:
    """A stopwatch for an image, whose times are not used."""
    return Stages(Metrics(settings()), Tracing(), lambda _: {}).clock()
