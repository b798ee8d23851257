"""A client of TorchServe's management API, for the version commands."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

SYNCHRONOUS_S = 180.0  # registering and scaling wait for the workers


class ManagementError(RuntimeError):
    """TorchServe refused or is not reachable; the text says what to do."""


class ConflictError(ManagementError):
    """The version is registered already."""


class SilentError(ManagementError):
    """TorchServe did not answer in time."""


@dataclass(frozen=True)
class Version:
    """One version of the model as TorchServe holds it.

    workers: how many it was given. pids: the process ids of those that are there, in the order in
    which they were started; the last ones are ended first. pending: requests in the queue.
    """

    version: str
    archive: str
    default: bool
    workers: int
    ready: int
    pending: int
    pids: tuple[int, ...] = ()


def authorization(tokens: Path | None, api: str) -> dict[str, str]:
    """The header with TorchServe's token for its "management" or "inference" API.

    Empty without a file: TorchServe does not run, or belongs to another user.
    """
    try:
        key = json.loads(tokens.read_text())[api]["key"] if tokens else None
    except (OSError, ValueError, KeyError):
        return {}
    return {"Authorization": f"Bearer {key}"} if key else {}


class ManagementClient:
    """The management API for the versions of one model."""

    def __init__(
        self,
        url: str,
        model: str,
        transport: httpx.BaseTransport | None = None,
        tokens: Path | None = None,
    ):
        # TorchServe is on this machine or on its own network, which no proxy leads to.
        self._http = httpx.Client(
            base_url=url,
            headers=authorization(tokens, "management"),
            timeout=SYNCHRONOUS_S,
            transport=transport,
            trust_env=False,
        )
        self._model = model

    def versions(self) -> list[Version]:
        """All versions, in the order of their numbers; none if the model is unknown."""
        default = self._default_version()
        if default is None:
            return []
        found = self._call("GET", f"/models/{self._model}/all").json()
        versions = [_version(facts, default) for facts in found]
        return sorted(versions, key=lambda each: _numbers(each.version))

    def version(self, name: str) -> Version:
        """One version. Raises ManagementError naming those that exist."""
        known = self.versions()
        for each in known:
            if each.version == name:
                return each
        have = ", ".join(each.version for each in known) or "none"
        raise ManagementError(f"there is no version {name}; there are: {have}")

    def register(self, archive: str) -> None:
        """Load an archive of the model store, without workers. Raises ConflictError.

        Workers are started by ``scale``: until they are up, it would stay unknown whether this
        call registered the version or another one did.
        """
        self._call("POST", "/models", {"url": archive, "initial_workers": 0})

    def busy_workers(self, version: str, timeout_s: float) -> set[int] | None:
        """Process ids of the workers that compute; None if the archive's handler does not say.

        The first free worker answers. Raises SilentError if none is within ``timeout_s``.
        """
        path = f"/models/{self._model}/{version}"
        answer = self._send("GET", path, {"customized": "true"}, timeout_s)
        try:
            facts = answer.json()[0]["customizedMetadata"]
            facts = json.loads(facts) if isinstance(facts, str) else facts
            return {int(pid) for pid in facts["busy_workers"]}
        except (ValueError, KeyError, TypeError, IndexError):
            return None

    def unregister(self, version: str) -> None:
        """Forget a version; its archive stays in the model store."""
        self._call("DELETE", f"/models/{self._model}/{version}")

    def set_default(self, version: str) -> None:
        """Make this the version of requests without one."""
        self._call("PUT", f"/models/{self._model}/{version}/set-default")

    def scale(self, version: str, workers: int) -> None:
        """Set the number of workers and wait for it."""
        query = {"min_worker": workers, "max_worker": workers, "synchronous": "true"}
        self._call("PUT", f"/models/{self._model}/{version}", query)

    def _default_version(self) -> str | None:
        answer = self._send("GET", f"/models/{self._model}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        facts: list[dict[str, Any]] = _checked(answer).json()
        return str(facts[0]["modelVersion"])

    def _call(self, method: str, path: str, query: dict[str, Any] | None = None) -> httpx.Response:
        return _checked(self._send(method, path, query))

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        timeout_s: float = SYNCHRONOUS_S,
    ) -> httpx.Response:
        try:
            return self._http.request(method, path, params=query, timeout=timeout_s)
        except httpx.TimeoutException as exc:
            raise SilentError(f"TorchServe did not answer within {timeout_s:.0f} s") from exc
        except httpx.HTTPError as exc:
            url = self._http.base_url
            raise ManagementError(
                f"TorchServe's management API at {url} is not there ({exc}): start it with "
                "`segserve serve`, or name its port with SEGSERVE_SERVE_MANAGEMENT_PORT"
            ) from exc


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        message = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        message = answer.text[:200]
    if "Token Authorization failed" in message:
        raise ManagementError(
            "TorchServe refused the token: run this as the user who started TorchServe, and with "
            "the same SEGSERVE_SERVE_RUN_DIR"
        )
    kind = ConflictError if answer.status_code == httpx.codes.CONFLICT else ManagementError
    raise kind(f"TorchServe answered {answer.status_code}: {message}")


def _version(facts: dict[str, Any], default: str) -> Version:
    workers = facts["workers"]
    return Version(
        version=facts["modelVersion"],
        archive=facts["modelUrl"],
        default=facts["modelVersion"] == default,
        workers=int(facts["minWorkers"]),
        ready=sum(worker["status"] == "READY" for worker in workers),
        pending=int(facts.get("jobQueueStatus", {}).get("pendingRequests", 0)),
        pids=tuple(int(worker.get("pid", 0)) for worker in workers),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
