"""Fixtures of the agents' tests: a gateway's state, and reports."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.agents.schemas import Heartbeat
from gateway.state import State, build_state
from tests.unit.gateway.data_folders import data_folder
from tests.unit.gateway.doubles import DIGEST, MODEL, NODE_URL, settings

TOKEN = "a-token-of-nodes"
AGENT = {"Authorization": f"Bearer {TOKEN}"}


def report(node: str = "a", **changes: Any) -> dict[str, Any]:
    """A report as an agent sends it."""
    version = {
        "sha256": DIGEST,
        "state": "ready",
        "ready": 2,
        "wanted": 2,
        "reason": None,
        "loaded_at": "2026-01-02T03:04:05.678Z",
    }
    whole = {
        "node": node,
        "url": NODE_URL,
        "token": "t0ken",
        "generation": 0,
        "free_memory_mb": 1000,
        "doing": None,
        "models": {MODEL: {"1.0": version}},
    }
    return whole | changes


def beat(node: str = "a", **changes: Any) -> Heartbeat:
    """A report that was taken."""
    return Heartbeat.model_validate(report(node, **changes))


@pytest.fixture
def state() -> Iterator[State]:
    """A gateway's state with an empty registry."""
    built = build_state(settings(data_dir=data_folder(), node_token=TOKEN))
    built.follower.load()
    yield built
    built.database.close()
