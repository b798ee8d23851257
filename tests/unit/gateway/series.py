"""Reads metrics back: from a registry, and from what a scrape gets."""

import httpx
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry.metrics import Metrics
from gateway.telemetry.stages import StageClock, Stages
from gateway.telemetry.tracing import Tracing
from tests.unit.gateway.doubles import settings

Families = dict[str, Metric]


def values(registry: CollectorRegistry, name: str, label: str) -> dict[str, float]:
    """Label's value -> the sample's, over all series of a name."""
    return {
        sample.labels[label]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name
    }


async def scrape(gateway: httpx.AsyncClient) -> Families:
    """Name -> family, as a scraper reads them."""
    answer = await gateway.get("/metrics")
    assert answer.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def samples(families: Families, name: str) -> list[dict[str, str]]:
    """The labels of every series of a name whose value is not zero."""
    return [
        sample.labels
        for family in families.values()
        for sample in family.samples
        if sample.name == name and sample.value
    ]


def value(families: Families, name: str, **labels: str) -> float:
    """The value of one series."""
    (found,) = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return found


def idle_clock() -> StageClock:
    """A clock of an image, whose times nobody reads."""
    return Stages(Metrics(settings()), Tracing(), lambda _: {}).clock()
