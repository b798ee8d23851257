"""Evaluations of versions: figures on a data set, which is known by its digest."""

from dataclasses import asdict, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.registry import audit, versions
from gateway.registry.records import Change, EvaluationRecord
from gateway.registry.storage.tables import evaluation


def add(connection: Connection, record: EvaluationRecord) -> EvaluationRecord:
    """Keep an evaluation; return it with its id. Raises NotFoundError for an unknown version."""
    versions.get(connection, record.model, record.version)
    row = asdict(record)
    del row["id"]
    done = connection.execute(evaluation.insert().values(**row))
    kept = replace(record, id=done.inserted_primary_key[0])  # type: ignore[index]  # it has one
    audit.append(
        connection,
        Change(record.created_by),
        "evaluation.add",
        record.model,
        record.version,
        after={"id": kept.id, "data": record.data_name, "data_digest": record.data_digest},
    )
    return kept


def listed(
    connection: Connection,
    model: str,
    version: str | None = None,
    *,
    limit: int = 100,
    before: int | None = None,
) -> list[EvaluationRecord]:
    """Return evaluations of a model, the newest first. before: only those with smaller ids."""
    query = sa.select(evaluation).where(evaluation.c.model == model)
    if version is not None:
        query = query.where(evaluation.c.version == version)
    if before is not None:
        query = query.where(evaluation.c.id < before)
    rows = connection.execute(query.order_by(evaluation.c.id.desc()).limit(limit)).mappings()
    return [EvaluationRecord(**row) for row in rows]


def latest_pairs(
    connection: Connection, model: str, candidate: str, stable: str
) -> tuple[tuple[EvaluationRecord, EvaluationRecord], ...]:
    """Return the newest evaluations of two versions on each data set that both were measured on."""
    of_stable = _newest(listed(connection, model, stable, limit=1000))
    of_candidate = _newest(listed(connection, model, candidate, limit=1000))
    return tuple(
        (each, of_stable[digest]) for digest, each in of_candidate.items() if digest in of_stable
    )


def _newest(records: list[EvaluationRecord]) -> dict[str, EvaluationRecord]:
    """The newest one on each data set, by its digest. records: the newest first."""
    newest: dict[str, EvaluationRecord] = {}
    for each in records:
        newest.setdefault(each.data_digest, each)
    return newest
