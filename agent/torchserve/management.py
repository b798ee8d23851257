"""The client of TorchServe's management API, and the only one that changes anything by it."""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.http_json import Answer, CallError, SilentError, call

SYNCHRONOUS_S = 180.0  # registering and scaling wait for the workers
LOOK_S = 5.0
DRAIN_S = 30.0  # the gateway's deadline: whatever takes longer has no client any more
# The way of a job from the queue to the handler, and of its response back, counts as idle.
QUIET_S = 0.5
# For archives of former versions, whose handler does not say which workers are busy.
QUIET_UNSEEN_S = 5.0
POLL_S = 0.05
CONFLICT = 409


class TorchServeError(RuntimeError):
    """TorchServe refused, or does not answer; the text is one line."""


class SilentTorchServeError(TorchServeError):
    """TorchServe did not answer in time."""


class ConflictError(TorchServeError):
    """The version is registered already."""


@dataclass(frozen=True)
class ServedVersion:
    """A version as TorchServe holds it.

    archive: its file name in the model store. wanted: workers that it was given. pids: process ids
    of those that are there, in the order of their start; the last ones are ended first.
    pending: requests in the queue. loaded_at: ISO 8601, of the oldest ready worker.
    """

    version: str
    archive: str
    wanted: int
    ready: int
    pending: int
    pids: tuple[int, ...]
    loaded_at: str | None


@dataclass(frozen=True)
class ServedModel:
    """A model's versions, and which of them is the default."""

    default: str
    versions: tuple[ServedVersion, ...]


class TorchServe:
    """TorchServe's management API on this machine."""

    def __init__(self, url: str, tokens: Path) -> None:
        self._url = url.rstrip("/")
        self._tokens = tokens

    def token(self, api: str) -> str | None:
        """TorchServe's token for "management" or "inference"; None before it has made one."""
        try:
            return str(json.loads(self._tokens.read_text())[api]["key"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def models(self) -> dict[str, ServedModel]:
        """Every model with its versions. Raises TorchServeError."""
        with _understanding():
            return {name: self._model(name) for name in self._names()}

    def _names(self) -> Iterator[str]:
        page: str | None = None
        while True:
            query = {"limit": 100} | ({"next_page_token": page} if page else {})
            listed = self._call("GET", "/models", query).json()
            yield from [str(each["modelName"]) for each in listed["models"]]
            page = listed.get("nextPageToken")
            if not page:
                return

    def _model(self, name: str) -> ServedModel:
        default = self._call("GET", f"/models/{name}").json()[0]["modelVersion"]
        every = self._call("GET", f"/models/{name}/all").json()
        return ServedModel(str(default), tuple(_version(facts) for facts in every))

    def version(self, model: str, version: str) -> ServedVersion:
        """Ask for one version alone. Raises TorchServeError."""
        with _understanding():
            return _version(self._call("GET", f"/models/{model}/{version}").json()[0])

    def register(self, archive: str) -> None:
        """Load an archive of the model store, without workers. Raises ConflictError."""
        self._call("POST", "/models", {"url": archive, "initial_workers": 0}, SYNCHRONOUS_S)

    def set_default(self, model: str, version: str) -> None:
        """Make this the version of requests without one."""
        self._call("PUT", f"/models/{model}/{version}/set-default")

    def scale(self, model: str, version: str, workers: int) -> None:
        """Set the number of workers and wait for it."""
        query = {"min_worker": workers, "max_worker": workers, "synchronous": "true"}
        self._call("PUT", f"/models/{model}/{version}", query, SYNCHRONOUS_S)

    def unregister(self, model: str, version: str) -> None:
        """Forget a version; its archive stays in the model store."""
        self._call("DELETE", f"/models/{model}/{version}", timeout_s=SYNCHRONOUS_S)

    def wait_until_idle(
        self, model: str, version: str, workers: Collection[int] | None = None
    ) -> None:
        """Wait until a version has computed nothing for a moment; for 30 s at most.

        TorchServe ends workers at once, and its count of pending requests leaves out those that a
        worker computes: our handler says which are busy. workers: process ids of those that
        matter, whatever waits for the others.
        """
        end = time.monotonic() + DRAIN_S
        quiet_since = None
        while (now := time.monotonic()) < end:
            known = self.version(model, version)
            is_quiet, needed_s = workers is not None or not known.pending, QUIET_S
            if is_quiet and known.ready:
                try:
                    busy = self._busy_workers(model, version, end - now)
                except SilentTorchServeError:
                    return
                is_quiet = not (busy if workers is None or not busy else busy & set(workers))
                needed_s = QUIET_UNSEEN_S if busy is None else QUIET_S
            quiet_since = (quiet_since or now) if is_quiet else None
            if quiet_since is not None and now - quiet_since >= needed_s:
                return
            time.sleep(POLL_S)  # polling another process

    def _busy_workers(self, model: str, version: str, timeout_s: float) -> set[int] | None:
        """Process ids of the workers that compute; None if the archive's handler does not say."""
        answer = self._send("GET", f"/models/{model}/{version}", {"customized": "true"}, timeout_s)
        try:
            facts = answer.json()[0]["customizedMetadata"]
            facts = json.loads(facts) if isinstance(facts, str) else facts
            return {int(pid) for pid in facts["busy_workers"]}
        except (CallError, ValueError, KeyError, TypeError, IndexError):
            return None

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        timeout_s: float = LOOK_S,
    ) -> Answer:
        answer = self._send(method, path, query, timeout_s)
        if 200 <= answer.status < 300:
            return answer
        try:
            message = str(answer.json()["message"])
        except (CallError, KeyError, TypeError):
            message = answer.body[:200].decode(errors="replace")
        kind = ConflictError if answer.status == CONFLICT else TorchServeError
        raise kind(f"TorchServe answered {answer.status}: {' '.join(message.split())}")

    def _send(
        self, method: str, path: str, query: Mapping[str, object] | None, timeout_s: float
    ) -> Answer:
        token = self.token("management")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return call(method, self._url + path, query=query, headers=headers, timeout_s=timeout_s)
        except SilentError as exc:
            raise SilentTorchServeError(str(exc)) from exc
        except CallError as exc:
            raise TorchServeError(f"TorchServe's management API: {exc}") from exc


@contextmanager
def _understanding() -> Iterator[None]:
    """Raise TorchServeError for an answer that has another form."""
    try:
        yield
    except (CallError, LookupError, TypeError, ValueError, AttributeError) as exc:
        raise TorchServeError(f"TorchServe's answer is not understood: {exc}") from exc


def _version(facts: dict[str, Any]) -> ServedVersion:
    workers = facts.get("workers", [])
    ready = [str(worker["startTime"]) for worker in workers if worker["status"] == "READY"]
    return ServedVersion(
        version=str(facts["modelVersion"]),
        archive=str(facts["modelUrl"]),
        wanted=int(facts["minWorkers"]),
        ready=len(ready),
        pending=int(facts.get("jobQueueStatus", {}).get("pendingRequests", 0)),
        pids=tuple(int(worker.get("pid", 0)) for worker in workers),
        loaded_at=min(ready, default=None),
    )
