"""A TorchServe double: a real management API without workers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from scripts.launch.management import ManagementClient

MODEL = "deeplabv3"
TWO: dict[str, int] = {"1.0": 2, "1.1": 1}


@dataclass
class TorchServeDouble:
    """Versions (name -> workers), the default, and the requests received.

    starts: whether workers of a newly registered version start.
    pending: requests in the queue at each question, the last number from then on.
    busy: workers that compute at each customised description, the last ones from then on.
    conflicts: whether another command registers each version just before.
    on_scale: called before workers are started or ended.
    """

    versions: dict[str, int] = field(default_factory=lambda: dict(TWO))
    default: str = "1.0"
    starts: bool = True
    ready: bool = True
    pending: list[int] = field(default_factory=lambda: [0])
    busy: list[list[int]] = field(default_factory=lambda: [[]])
    conflicts: bool = False
    on_scale: Callable[[], object] = lambda: None
    calls: list[str] = field(default_factory=list)

    def management(self) -> ManagementClient:
        """A client of this server."""
        return ManagementClient("http://torchserve", MODEL, httpx.MockTransport(self.answer))

    def changes(self) -> list[str]:
        """The requests that change something."""
        return [call for call in self.calls if not call.startswith("GET")]

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One request of the management API."""
        self.calls.append(f"{request.method} {request.url.raw_path.decode()}")
        parts = request.url.path.strip("/").split("/")[1:]
        match request.method, parts:
            case "GET", [name] | [name, "all"]:
                return self._describe(name, every=parts[-1] == "all")
            case "GET", [_, version]:
                return self._describe_one(version)
            case "POST", []:
                return self._register(dict(request.url.params))
            case "DELETE", [_, version]:
                del self.versions[version]
                return httpx.Response(200, json={"status": "unregistered"})
            case "PUT", [_, version, "set-default"]:
                self.default = version
                return httpx.Response(200, json={"status": "default"})
            case _:
                return self._scale(parts[1], int(request.url.params["min_worker"]))

    def _describe(self, name: str, *, every: bool) -> httpx.Response:
        if name != MODEL or not self.versions:
            return _error(404, "ModelNotFoundException", f"Model not found: {name}")
        names = list(self.versions) if every else [self.default]
        waiting = self.pending.pop(0) if len(self.pending) > 1 else self.pending[0]
        return httpx.Response(200, json=[self._facts(each, waiting) for each in names])

    def _describe_one(self, version: str) -> httpx.Response:
        busy = self.busy.pop(0) if len(self.busy) > 1 else self.busy[0]
        metadata = json.dumps({"busy_workers": busy})
        return httpx.Response(
            200, json=[{**self._facts(version, 0), "customizedMetadata": metadata}]
        )

    def _facts(self, version: str, waiting: int) -> dict[str, Any]:
        workers = self.versions[version]
        running = [{"id": str(9000 + n), "pid": 100 + n} for n in range(workers)]
        status = "READY" if self.ready else "LOADING"
        return {
            "modelName": MODEL,
            "modelVersion": version,
            "modelUrl": f"{MODEL}-{version}.mar",
            "runtime": "python",
            "minWorkers": workers,
            "maxWorkers": workers,
            "batchSize": 1,
            "maxBatchDelay": 0,
            "loadedAtStartup": True,
            "workers": [{**worker, "status": status} for worker in running],
            "jobQueueStatus": {"remainingCapacity": 100 - waiting, "pendingRequests": waiting},
        }

    def _register(self, query: dict[str, str]) -> httpx.Response:
        version = query["url"].removesuffix(".mar").split("-", 1)[1]
        if self.conflicts:
            self.versions[version] = 2
        if version in self.versions:
            message = f"Model version {version} is already registered for model {MODEL}"
            return _error(409, "ConflictStatusException", message)
        self.versions[version] = int(query["initial_workers"])
        return httpx.Response(200, json={"status": "registered"})

    def _scale(self, version: str, workers: int) -> httpx.Response:
        self.on_scale()
        if not self.starts and workers > self.versions[version]:
            return _error(500, "InternalServerException", "Failed to start workers for model")
        self.versions[version] = workers
        return httpx.Response(200, json={"status": "scaled"})


def _error(code: int, kind: str, message: str) -> httpx.Response:
    return httpx.Response(code, json={"code": code, "type": kind, "message": message})
