"""A double of TorchServe's management API behind a real HTTP server, without workers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent.disk.archives import file_name
from tests.unit.agent.http_double import Answer, Asked, in_json

MODEL = "deeplabv3"
STARTED = "2026-01-02T03:04:05.678Z"


def digest(version: str) -> str:
    """A made-up SHA-256 for a version."""
    return version.replace(".", "").rjust(64, "0")


def archive(version: str) -> str:
    """The file name of a version's archive."""
    return file_name(MODEL, version, digest(version))


@dataclass
class TorchServeDouble:
    """Versions (name -> workers), the default, and the requests that change something.

    starts: whether new workers start. pending: requests in the queue at each question, the last
    number from then on. busy: workers that compute at each description, likewise; None for an
    archive that does not say. on_scale: called before workers are started or ended.
    """

    versions: dict[str, int] = field(default_factory=lambda: {"1.0": 2, "1.1": 1})
    default: str = "1.0"
    starts: bool = True
    status: str = "READY"
    pending: list[int] = field(default_factory=lambda: [0])
    busy: list[list[int] | None] = field(default_factory=lambda: [[]])
    token: str = ""
    other: dict[str, Answer] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    on_scale: Callable[[], object] = lambda: None

    def answer(self, asked: Asked) -> Answer:
        """One request of the management API."""
        if asked.path in self.other:
            return self.other[asked.path]
        if self.token and asked.headers.get("Authorization") != f"Bearer {self.token}":
            return _error(400, "InvalidKeyException", "Token Authorization failed")
        if asked.method != "GET":
            self.changes.append(f"{asked.method} {asked.path} {_sorted(asked.query)}".strip())
        parts = asked.path.strip("/").split("/")[1:]
        match asked.method, parts:
            case "GET", []:
                return in_json({"models": [{"modelName": MODEL}] if self.versions else []})
            case "GET", [_]:
                return in_json([self._facts(self.default, 0)])
            case "GET", [_, "all"]:
                return in_json([self._facts(each, 0) for each in self.versions])
            case "GET", [_, version]:
                return self._describe(version, "customized" in asked.query)
            case "POST", []:
                return self._register(asked.query)
            case "DELETE", [_, version]:
                del self.versions[version]
                return in_json({"status": "unregistered"})
            case "PUT", [_, version, "set-default"]:
                self.default = version
                return in_json({"status": "default"})
            case _:
                return self._scale(parts[1], int(asked.query["min_worker"]))

    def _describe(self, version: str, customised: bool) -> Answer:
        if version not in self.versions:
            return _error(404, "ModelVersionNotFoundException", f"Model version: {version}")
        facts = self._facts(version, 0 if customised else _next(self.pending))
        busy = _next(self.busy) if customised else None
        if busy is not None:
            facts["customizedMetadata"] = json.dumps({"busy_workers": busy})
        return in_json([facts])

    def _facts(self, version: str, waiting: int) -> dict[str, Any]:
        count = self.versions[version]
        workers = [
            {"pid": 100 + number, "status": self.status, "startTime": STARTED}
            for number in range(count)
        ]
        return {
            "modelName": MODEL,
            "modelVersion": version,
            "modelUrl": archive(version),
            "minWorkers": count,
            "workers": workers,
            "jobQueueStatus": {"pendingRequests": waiting},
        }

    def _register(self, query: dict[str, str]) -> Answer:
        version = query["url"].split("-")[1]
        if version in self.versions:
            return _error(409, "ConflictStatusException", f"{version} is already registered")
        self.versions[version] = int(query["initial_workers"])
        return in_json({"status": "registered"})

    def _scale(self, version: str, workers: int) -> Answer:
        self.on_scale()
        if not self.starts and workers > self.versions[version]:
            return _error(500, "InternalServerException", "Failed to start workers")
        self.versions[version] = workers
        return in_json({"status": "scaled"})


def _next(values: list[Any]) -> Any:
    return values.pop(0) if len(values) > 1 else values[0]


def _sorted(query: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(query.items()))


def _error(code: int, kind: str, message: str) -> Answer:
    return in_json({"code": code, "type": kind, "message": message}, code)
