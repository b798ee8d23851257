"""Evaluations of versions."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from gateway.errors import NotFoundError
from gateway.registry import audit
from gateway.registry.measurements import evaluations
from gateway.registry.records import EvaluationRecord
from tests.unit.gateway.registry.conftest import MODEL, add

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def evaluation(version: str, digest: str, miou: float = 0.7) -> EvaluationRecord:
    """An evaluation as `segserve evaluate --record` sends it."""
    figures = {"miou": miou, "per_class": {"person": None}}
    return EvaluationRecord(MODEL, version, digest, "voc", figures, NOON, "boss")


def test_evaluations_are_listed_the_newest_first(connection: Connection) -> None:
    """All fields come back, of a model or a version, page by page."""
    add(connection, "1.0", "2.0")
    kept = [
        evaluations.add(connection, evaluation(version, "d" * 64))
        for version in ("1.0", "2.0", "1.0")
    ]
    assert evaluations.listed(connection, MODEL) == list(reversed(kept))
    assert evaluations.listed(connection, MODEL, "2.0") == [kept[1]]
    assert evaluations.listed(connection, MODEL, before=kept[1].id) == [kept[0]]
    assert replace(kept[0], id=0) == evaluation("1.0", "d" * 64)
    (entry,) = audit.entries(connection, limit=1)
    assert (entry.action, entry.after["id"]) == ("evaluation.add", kept[2].id)


def test_an_evaluation_is_of_a_known_version(connection: Connection) -> None:
    """Figures of an unknown version are refused."""
    with pytest.raises(NotFoundError):
        evaluations.add(connection, evaluation("1.0", "d" * 64))


def test_two_versions_are_compared_on_the_same_data(connection: Connection) -> None:
    """On every data set that both have: the newest of each."""
    add(connection, "1.0", "2.0")
    assert evaluations.latest_pairs(connection, MODEL, "2.0", "1.0") == ()
    for version, digest, miou in (
        ("1.0", "a", 0.1),
        ("1.0", "b", 0.2),
        ("1.0", "b", 0.3),
        ("2.0", "a", 0.4),
        ("2.0", "b", 0.5),
        ("2.0", "c", 0.6),
    ):
        evaluations.add(connection, evaluation(version, digest * 64, miou))
    pairs = evaluations.latest_pairs(connection, MODEL, "2.0", "1.0")
    figures = [[each.figures["miou"] for each in pair] for pair in pairs]
    assert figures == [[0.5, 0.3], [0.4, 0.1]]
