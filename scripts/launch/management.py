"""A client of TorchServe's management API, for the version commands."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

SYNCHRONOUS_S = 180.0  # registering and scaling wait for the workers


class ManagementError(RuntimeError):
    """TorchServe refused or is not reachable; the text says what to do."""


@dataclass(frozen=True)
class Version:
    """One version of the model as TorchServe holds it."""

    version: str
    archive: str
    default: bool
    workers: int
    ready: int
    pending: int


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

    def register(self, archive: str, workers: int) -> None:
        """Load an archive of the model store and wait until its workers are up."""
        query = {"url": archive, "initial_workers": workers, "synchronous": "true"}
        self._call("POST", "/models", query)

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
        answer = self._send("GET", f"/models/{self._model}", None)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        facts: list[dict[str, Any]] = _checked(answer).json()
        return str(facts[0]["modelVersion"])

    def _call(self, method: str, path: str, query: dict[str, Any] | None = None) -> httpx.Response:
        return _checked(self._send(method, path, query))

    def _send(self, method: str, path: str, query: dict[str, Any] | None) -> httpx.Response:
        try:
            return self._http.request(method, path, params=query)
        except httpx.TimeoutException as exc:
            raise ManagementError(
                f"TorchServe did not answer within {SYNCHRONOUS_S:.0f} s"
            ) from exc
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
    raise ManagementError(f"TorchServe answered {answer.status_code}: {message}")


def _version(facts: dict[str, Any], default: str) -> Version:
    workers = facts["workers"]
    return Version(
        version=facts["modelVersion"],
        archive=facts["modelUrl"],
        default=facts["modelVersion"] == default,
        workers=int(facts["minWorkers"]),
        ready=sum(worker["status"] == "READY" for worker in workers),
        pending=int(facts.get("jobQueueStatus", {}).get("pendingRequests", 0)),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
