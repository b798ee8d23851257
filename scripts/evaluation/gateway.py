"""A predictor that asks a running gateway through its public API."""

import time
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from scripts.evaluation.predictors import EvaluationError, read_mask
from scripts.prediction.gateway import (
    BYTES,
    COLOUR_MAP,
    READY,
    TRY_LATER,
    authorization,
    labels_of,
    no_answer,
    refusal,
    retry_after,
)

TIMEOUT_S = 60.0
TRIES = 5
LONGEST_PAUSE_S = 10.0


class GatewayPredictor:
    """One version of the served model; if None is given, the current default version."""

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
            headers=authorization(api_key),
        )
        ready = self._ask(READY, {})
        self.version = version or str(ready["version"])
        self.source = f"{ready['model']} {self.version} at {url}"
        found = self._ask(labels_of(ready["model"]), {"version": self.version})["labels"]
        self.labels = {int(each["id"]): str(each["name"]) for each in found}

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """Request one mask; a busy gateway is asked again after a pause."""
        files = {"file": ("picture", data, BYTES)}
        query = {"version": self.version}
        for _ in range(TRIES - 1):
            answer = self._send("POST", COLOUR_MAP, query, files=files)
            if answer.status_code not in TRY_LATER:
                break
            time.sleep(retry_after(answer, LONGEST_PAUSE_S))  # polling another process
        else:
            answer = self._send("POST", COLOUR_MAP, query, files=files)
        return read_mask(_checked(answer).content)

    def _ask(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        facts: dict[str, Any] = _checked(self._send("GET", path, query)).json()
        return facts

    def _send(self, method: str, path: str, query: dict[str, str], **body: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, params=query, **body)
        except httpx.HTTPError as exc:
            raise EvaluationError(no_answer(self._http.base_url, exc)) from exc


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    raise EvaluationError(refusal(response))
