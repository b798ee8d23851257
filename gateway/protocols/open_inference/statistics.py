"""The statistics extension of the Open Inference Protocol, from the gateway's own metrics."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from prometheus_client import Metric
from pydantic import BaseModel, Field

from gateway.telemetry.image_metrics import ImageMetrics

_NS: Final = 1_000_000_000
_TOTAL: Final = ("read", "queue", "infer", "colour", "write")
_INPUT: Final = ("worker_decode", "worker_preprocess")
_INFER: Final = ("worker_infer",)
_OUTPUT: Final = ("worker_postprocess", "worker_encode")


class OpenInferenceDuration(BaseModel):
    """A count, and the time that they took together."""

    count: int = Field(description="Images.")
    ns: int = Field(description="Their nanoseconds in sum.")


class OpenInferenceDurations(BaseModel):
    """Where the time of a version's images went."""

    success: OpenInferenceDuration = Field(description="Images that were answered, as a whole.")
    fail: OpenInferenceDuration = Field(description="Images that failed.")
    queue: OpenInferenceDuration = Field(description="Waiting for a turn at TorchServe.")
    compute_input: OpenInferenceDuration = Field(description="Decoding and preparing, in workers.")
    compute_infer: OpenInferenceDuration = Field(description="The network, in workers.")
    compute_output: OpenInferenceDuration = Field(description="Classes and encoding, in workers.")


class OpenInferenceVersionStatistics(BaseModel):
    """What a version has done since this gateway started."""

    name: str = Field(description="The model.")
    version: str = Field(description="The version.")
    last_inference: int = Field(description="The last answer, in ms since 1970; 0 without one.")
    inference_count: int = Field(description="Images that were answered.")
    execution_count: int = Field(description="The same: the gateway sends image by image.")
    inference_stats: OpenInferenceDurations = Field(description="Where the time went.")
    batch_stats: list[OpenInferenceDurations] = Field(description="Always empty.", max_length=0)


class OpenInferenceStatistics(BaseModel):
    """What versions have done."""

    model_stats: list[OpenInferenceVersionStatistics] = Field(description="One for each version.")


def statistics(
    metrics: ImageMetrics, model: str, versions: Iterable[str]
) -> OpenInferenceStatistics:
    """Return the statistics of versions. The counts are those of this gateway alone."""
    stages = _durations(metrics.stages.collect(), "stage")
    failures = _durations(metrics.failures.collect(), "code")
    return OpenInferenceStatistics(
        model_stats=[
            _version(metrics, model, each, stages[model, each], failures[model, each])
            for each in versions
        ]
    )


_ByName = dict[str, OpenInferenceDuration]


def _durations(collected: Iterable[Metric], label: str) -> defaultdict[tuple[str, str], _ByName]:
    """(model, version) -> value of the label -> count and time, from a histogram or summary."""
    found: defaultdict[tuple[str, str], _ByName] = defaultdict(dict)
    for sample in (each for metric in collected for each in metric.samples):
        by_name = found[sample.labels["model"], sample.labels["version"]]
        duration = by_name.setdefault(sample.labels[label], OpenInferenceDuration(count=0, ns=0))
        if sample.name.endswith("_sum"):
            duration.ns = round(sample.value * _NS)
        elif sample.name.endswith("_count"):
            duration.count = int(sample.value)
    return found


def _version(
    metrics: ImageMetrics, model: str, version: str, stages: _ByName, failures: _ByName
) -> OpenInferenceVersionStatistics:
    count = stages["infer"].count if "infer" in stages else 0
    durations = OpenInferenceDurations(
        success=_together(stages, _TOTAL, count),
        fail=_together(failures, failures, sum(each.count for each in failures.values())),
        queue=_together(stages, ("queue",), count),
        compute_input=_together(stages, _INPUT, count),
        compute_infer=_together(stages, _INFER, count),
        compute_output=_together(stages, _OUTPUT, count),
    )
    last = metrics.last_answer(model, version)
    return OpenInferenceVersionStatistics(
        name=model,
        version=version,
        last_inference=round((last or 0.0) * 1000),
        inference_count=count,
        execution_count=count,
        inference_stats=durations,
        batch_stats=[],
    )


def _together(durations: _ByName, names: Iterable[str], count: int) -> OpenInferenceDuration:
    ns = sum(durations[name].ns for name in names if name in durations)
    return OpenInferenceDuration(count=count, ns=ns)
