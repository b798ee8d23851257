"""Evaluates what a running gateway serves, through its public API and nothing else."""

import time
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from scripts.evaluation.predictors import EvaluationError, read_mask

TIMEOUT_S = 60.0
TRIES = 5
LONGEST_PAUSE_S = 10.0
TRY_LATER = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)


class GatewayPredictor:
    """One version of the served model; without a version, the one that is the default now."""

    concurrency = 2  # the next picture travels while one is segmented

    def __init__(
        self,
        url: str,
        version: str | None,
        transport: httpx.BaseTransport | None = None,
        api_key: str | None = None,
    ):
        # The gateway is given by address: a proxy of the environment has no place in between.
        self._http = httpx.Client(
            base_url=url,
            timeout=TIMEOUT_S,
            transport=transport,
            trust_env=False,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
        )
        ready = self._ask("/readyz", {})
        self._version = version or str(ready["version"])
        self.source = f"{ready['model']} {self._version} at {url}"
        path = f"/v1/models/{ready['model']}/labels"
        found = self._ask(path, {"version": self._version})["labels"]
        self.labels = {int(each["id"]): str(each["name"]) for each in found}

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """Ask for one mask; a gateway that is busy is asked again after a pause."""
        files = {"file": ("picture", data, "application/octet-stream")}
        query = {"version": self._version}
        for _ in range(TRIES - 1):
            answer = self._send("POST", "/segmentation", query, files=files)
            if answer.status_code not in TRY_LATER:
                break
            time.sleep(_pause(answer))  # as long as the gateway itself asked for
        else:
            answer = self._send("POST", "/segmentation", query, files=files)
        return read_mask(_checked(answer).content)

    def _ask(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        facts: dict[str, Any] = _checked(self._send("GET", path, query)).json()
        return facts

    def _send(self, method: str, path: str, query: dict[str, str], **body: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, params=query, **body)
        except httpx.HTTPError as exc:
            raise EvaluationError(
                f"no gateway answers at {self._http.base_url} ({exc or type(exc).__name__}): "
                "start it with `make run`, or name it with --gateway"
            ) from exc


def _pause(answer: httpx.Response) -> float:
    try:
        seconds = float(answer.headers.get("Retry-After", "1"))
    except ValueError:
        seconds = 1.0
    return min(max(seconds, 0.0), LONGEST_PAUSE_S)


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.text[:200]
    raise EvaluationError(f"the gateway answered {answer.status_code}: {detail}")
