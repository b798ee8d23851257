"""Comparison of shadow and stable: the registry's sums as shares and means."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import add
from typing import Any

from gateway.admin.schemas import (
    ClassComparison,
    ShadowComparison,
    ShadowHourEntry,
    ShadowPair,
)
from gateway.registry import models, versions
from gateway.registry.database import Connection
from gateway.registry.measurements import shadow_hours
from gateway.registry.records import ShadowHour

Labels = Mapping[int, str]


def comparison(connection: Connection, model: str, hours: int) -> ShadowComparison:
    """Return the comparisons of the last hours; raises NotFoundError."""
    models.etag(connection, model)
    since = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
    known = {each.version: each.labels for each in versions.listed(connection, model)}
    of_pair: dict[tuple[str, str], list[ShadowHour]] = defaultdict(list)
    for each in shadow_hours.listed(connection, model, since=since):
        of_pair[each.stable, each.shadow].append(each)
    pairs = [
        ShadowPair(
            stable=stable,
            shadow=shadow,
            hours=[_hour(each, known.get(stable, {})) for each in sums],
            **_figures(reduce(add, sums), known.get(stable, {})),
        )
        for (stable, shadow), sums in of_pair.items()
    ]
    return ShadowComparison(model=model, since=since, pairs=pairs)


def _hour(sums: ShadowHour, labels: Labels) -> ShadowHourEntry:
    return ShadowHourEntry(hour=sums.hour, **_figures(sums, labels))


def _figures(sums: ShadowHour, labels: Labels) -> dict[str, Any]:
    return {
        "images": sums.images,
        "failed": sums.failed,
        "agreement": _ratio(sums.agreeing, sums.pixels),
        "classes": [
            ClassComparison(id=class_id, name=labels.get(class_id), iou=_ratio(*area))
            for class_id, area in sorted(sums.classes.items())
        ],
        "stable_ms": _ratio(sums.stable_ms, sums.images),
        "shadow_ms": _ratio(sums.shadow_ms, sums.images),
    }


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None
