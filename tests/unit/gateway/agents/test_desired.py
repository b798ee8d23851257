"""What a node should serve: a pure table of the registry's snapshot."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.agents.desired import desired_state
from gateway.registry.records import EVERY_NODE, Placement, VersionRecord
from gateway.registry.snapshot import ModelState, Snapshot, workers_on

MODEL = "deeplabv3"


def _record(version: str, state: Any = "available") -> VersionRecord:
    digest = version.replace(".", "").rjust(64, "0")
    return VersionRecord(
        MODEL, version, digest, 10 * int(version[0]), {}, {}, datetime.now(UTC), "a test", state
    )


def _model(
    *versions: VersionRecord, placements: dict[tuple[str, str], int] | None = None, **aliases: str
) -> ModelState:
    placed = [Placement(MODEL, *key, workers) for key, workers in (placements or {}).items()]
    known = {each.version: each for each in versions}
    return ModelState(MODEL, 1, "salt", 0, 0, {}, known, aliases, tuple(placed))


def _wanted(model: ModelState, node: str = "a") -> dict[str, Any]:
    """Version -> workers on a node, and the default."""
    found = desired_state(Snapshot(5, {MODEL: model}), node)["models"][MODEL]
    workers = {version: each["workers"] for version, each in found["versions"].items()}
    return {"default": found["default"], **workers}


def test_every_version_is_on_every_node_by_default() -> None:
    """With its archive, and as many workers as a node gives a version."""
    model = _model(_record("1.0"), _record("2.0"), stable="1.0")
    assert desired_state(Snapshot(5, {MODEL: model}), "a") == {
        "generation": 5,
        "models": {
            MODEL: {
                "default": "1.0",
                "versions": {
                    "1.0": {"sha256": f"{10:064}", "size": 10, "workers": None},
                    "2.0": {"sha256": f"{20:064}", "size": 20, "workers": None},
                },
            }
        },
    }


def test_retired_versions_are_wanted_nowhere() -> None:
    """Nor are they the default, if an alias still names one."""
    model = _model(_record("1.0", "retired"), _record("2.0"), stable="1.0")
    assert _wanted(model) == {"default": None, "2.0": None}


@pytest.mark.parametrize(
    ("placements", "expected"),
    [
        ({}, None),
        ({("1.0", EVERY_NODE): 3}, 3),
        ({("1.0", "a"): 2}, 2),
        ({("1.0", EVERY_NODE): 3, ("1.0", "a"): 2}, 2),
        ({("1.0", EVERY_NODE): 3, ("1.0", "b"): 2}, 3),
        ({("1.0", "b"): 2}, None),
        ({("2.0", "a"): 2}, None),
        ({("1.0", EVERY_NODE): 3, ("1.0", "a"): 0}, 0),
    ],
)
def test_a_nodes_own_placement_counts_more(
    placements: dict[tuple[str, str], int], expected: int | None
) -> None:
    """Than that of every node; those of others and of other versions do not."""
    assert workers_on(_model(_record("1.0"), placements=placements), "1.0", "a") == expected


def test_a_version_without_workers_is_not_wanted_there() -> None:
    """It is unloaded, and is not TorchServe's default."""
    placements = {("1.0", EVERY_NODE): 0, ("1.0", "b"): 1, ("2.0", "a"): 4}
    model = _model(_record("1.0"), _record("2.0"), placements=placements, stable="1.0")
    assert _wanted(model, "a") == {"default": None, "2.0": 4}
    assert _wanted(model, "b") == {"default": "1.0", "1.0": 1, "2.0": None}


def test_the_canary_is_no_default() -> None:
    """Gateways name the version in every request."""
    model = _model(_record("1.0"), _record("2.0"), stable="1.0", canary="2.0")
    assert _wanted(model)["default"] == "1.0"


def test_an_empty_registry_wants_nothing() -> None:
    """An agent that hears this unloads what it has."""
    assert desired_state(Snapshot(0), "a") == {"generation": 0, "models": {}}
