"""What a node should serve, by the registry's snapshot: a pure function."""

from typing import Any

from gateway.registry.records import AVAILABLE, STABLE
from gateway.registry.snapshot import ModelState, Snapshot, workers_on


def desired_state(snapshot: Snapshot, node: str) -> dict[str, Any]:
    """Return the JSON object for a node's agent.

    {"generation": int, "models": {name: {"default": version or null, "versions": {version:
    {"sha256": hex, "size": bytes, "workers": number, or null for as many as the node gives one}}}}}
    """
    models = {name: _model(state, node) for name, state in snapshot.models.items()}
    return {"generation": snapshot.generation, "models": models}


def _model(state: ModelState, node: str) -> dict[str, Any]:
    versions = {}
    for record in state.versions.values():
        workers = workers_on(state, record.version, node)
        if record.state == AVAILABLE and workers != 0:
            versions[record.version] = {
                "sha256": record.sha256,
                "size": record.size,
                "workers": workers,
            }
    stable = state.aliases.get(STABLE)
    return {"default": stable if stable in versions else None, "versions": versions}
