"""Answers of the administration, read from the registry within one transaction."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gateway.admin import paging
from gateway.admin.schemas import (
    AuditRecord,
    AuditRecords,
    EvaluationEntries,
    EvaluationEntry,
    EvaluationSummary,
    NodeEntries,
    NodeEntry,
    PlacementEntry,
    RegisteredModel,
    RegisteredModelDetail,
    RegisteredModels,
    RegisteredVersion,
    RegisteredVersionDetail,
    RegisteredVersions,
    VersionOnNode,
    VersionReportEntry,
)
from gateway.registry import audit, nodes, policies, snapshot, versions
from gateway.registry.database import Connection
from gateway.registry.measurements import evaluations
from gateway.registry.records import EvaluationRecord, NodeRecord, VersionRecord
from gateway.traffic.fleet import STALE_S
from gateway.traffic.report import VersionReport, read_report

Ages = Mapping[str, float]

_MOST_EVALUATIONS: Final = 1000


def models(connection: Connection, limit: int, cursor: str | None) -> RegisteredModels:
    """Return a page of models."""
    known = snapshot.load(connection).models
    names, following = paging.page(sorted(known), lambda name: (name,), limit, cursor)
    items = [RegisteredModel(**_policy(known[name])) for name in names]
    return RegisteredModels(items=items, next=following)


def model(connection: Connection, name: str) -> RegisteredModelDetail:
    """Return a model; raises NotFoundError."""
    policies.read(connection, name)
    state = snapshot.load(connection).models[name]
    placements = [
        PlacementEntry(version=each.version, node=each.node, workers=each.workers)
        for each in state.placements
    ]
    return RegisteredModelDetail(**_policy(state), placements=placements)


def _policy(state: snapshot.ModelState) -> dict[str, Any]:
    names = ("name", "etag", "canary_percent", "shadow_percent", "limits")
    values = {name: getattr(state, name) for name in names}
    return values | {"aliases": dict(sorted(state.aliases.items()))}


def version_page(
    connection: Connection, model: str, ages: Ages | None, limit: int, cursor: str | None
) -> RegisteredVersions:
    """Return a page of a model's versions; raises NotFoundError."""
    aliases = policies.read(connection, model).aliases
    listed = versions.listed(connection, model)
    shown, following = paging.page(listed, _order, limit, cursor)
    heard = fresh(nodes.listed(connection), ages)
    figures = _newest(evaluations.listed(connection, model, limit=_MOST_EVALUATIONS))
    items = [RegisteredVersion(**_version(each, aliases, heard, figures)) for each in shown]
    return RegisteredVersions(items=items, next=following)


def version(
    connection: Connection, model: str, name: str, ages: Ages | None
) -> RegisteredVersionDetail:
    """Return a version, also a retired one; raises NotFoundError."""
    aliases = policies.read(connection, model).aliases
    record = versions.get(connection, model, name)
    heard = fresh(nodes.listed(connection), ages)
    figures = _newest(evaluations.listed(connection, model, name, limit=_MOST_EVALUATIONS))
    labels = {str(index): label for index, label in record.labels.items()}
    facts: dict[str, Any] = {key: record.facts.get(key) for key in ("provenance", "card")}
    return RegisteredVersionDetail(
        **_version(record, aliases, heard, figures),
        **facts,
        labels=labels,
        spec=dict(record.facts.get("spec") or {}),
    )


def _order(record: VersionRecord) -> paging.Key:
    return (record.created_at.isoformat(timespec="microseconds"), record.version)


def _version(
    record: VersionRecord,
    aliases: Mapping[str, str],
    heard: Iterable[NodeRecord],
    figures: Mapping[str, list[EvaluationSummary]],
) -> dict[str, Any]:
    names = ("model", "version", "sha256", "size", "state", "created_at", "created_by")
    return {name: getattr(record, name) for name in names} | {
        "classes": len(record.labels),
        "aliases": sorted(each for each, named in aliases.items() if named == record.version),
        "nodes": [*on_nodes(record, heard)],
        "evaluations": figures.get(record.version, []),
    }


def on_nodes(record: VersionRecord, heard: Iterable[NodeRecord]) -> Iterable[VersionOnNode]:
    """Yield what the nodes report of a version."""
    for node in heard:
        report = read_report(node.name, node.url, node.report)
        each = report.models.get(record.model, {}).get(record.version)
        if each is not None:
            yield VersionOnNode(node=node.name, **_reported(each))


def _reported(each: VersionReport) -> dict[str, Any]:
    return {name: getattr(each, name) for name in ("state", "ready", "wanted", "reason")}


def _newest(records: Iterable[EvaluationRecord]) -> dict[str, list[EvaluationSummary]]:
    """The newest figures of each version on each data set. records: the newest first."""
    known: dict[tuple[str, str], EvaluationSummary] = {}
    of_version: dict[str, list[EvaluationSummary]] = {}
    for each in records:
        if (each.version, each.data_digest) in known:
            continue
        summary = EvaluationSummary(
            data_name=each.data_name, data_digest=each.data_digest, miou=_share(each.figures)
        )
        known[each.version, each.data_digest] = summary
        of_version.setdefault(each.version, []).append(summary)
    return of_version


def _share(figures: Mapping[str, Any]) -> float | None:
    miou = figures.get("miou")
    is_share = isinstance(miou, int | float) and not isinstance(miou, bool) and 0 <= miou <= 1
    return float(miou) if is_share else None  # type: ignore[arg-type]  # a number by the check


def evaluation(record: EvaluationRecord) -> EvaluationEntry:
    """Return an evaluation."""
    names = EvaluationEntry.model_fields
    return EvaluationEntry(**{name: getattr(record, name) for name in names})


def evaluation_page(
    connection: Connection, model: str, version: str, limit: int, cursor: str | None
) -> EvaluationEntries:
    """Return a page of a version's evaluations; raises NotFoundError."""
    versions.get(connection, model, version)
    before = paging.id_of(cursor)
    found = evaluations.listed(connection, model, version, limit=limit + 1, before=before)
    shown, following = paging.page_by_id(found, lambda each: each.id, limit)
    return EvaluationEntries(items=[evaluation(each) for each in shown], next=following)


def audit_page(
    connection: Connection, model: str | None, limit: int, cursor: str | None
) -> AuditRecords:
    """Return a page of the audit log, of one model or of all."""
    found = audit.entries(connection, model, limit=limit + 1, before=paging.id_of(cursor))
    shown, following = paging.page_by_id(found, lambda each: each.id, limit)
    names = AuditRecord.model_fields
    items = [AuditRecord(**{name: getattr(each, name) for name in names}) for each in shown]
    return AuditRecords(items=items, next=following)


def node_page(
    connection: Connection, ages: Ages | None, limit: int, cursor: str | None
) -> NodeEntries:
    """Return a page of nodes."""
    shown, following = paging.page(
        nodes.listed(connection), lambda each: (each.name,), limit, cursor
    )
    age = _age_by(ages)
    return NodeEntries(items=[_node(each, age(each)) for each in shown], next=following)


def _node(record: NodeRecord, age_s: float) -> NodeEntry:
    report = read_report(record.name, record.url, record.report)
    doing = record.report.get("doing")
    entries = [
        VersionReportEntry(model=model, version=version, **_reported(each))
        for model, of_model in sorted(report.models.items())
        for version, each in sorted(of_model.items())
    ]
    return NodeEntry(
        name=record.name,
        url=record.url,
        last_seen=record.last_seen,
        age_s=round(age_s, 3),
        fresh=age_s < STALE_S,
        free_memory_mb=report.free_memory_mb,
        doing=doing if isinstance(doing, str) else None,
        versions=entries,
    )


def fresh(listed: Iterable[NodeRecord], ages: Ages | None) -> list[NodeRecord]:
    """Return the nodes that were heard lately."""
    age = _age_by(ages)
    return [each for each in listed if age(each) < STALE_S]


def _age_by(ages: Ages | None) -> Callable[[NodeRecord], float]:
    """How old a node's news are: as this gateway knows, else by the clock of the one that heard."""
    now = datetime.now(UTC)

    def age(record: NodeRecord) -> float:
        known = (ages or {}).get(record.name)
        if known is not None and math.isfinite(known):
            return known
        return max(0.0, (now - record.last_seen).total_seconds())

    return age
