"""The only file that knows the gateway: its routes, headers and error bodies."""

import time
import uuid
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from ui.answers import Label, Model, Readiness, Segmentation
from ui.errors import (
    GatewayError,
    RefusedError,
    TimedOutError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)

Answer = TypeVar("Answer")

# Questions about the model are answered from the gateway's memory: a page must not hang on them.
_QUESTION_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class _Models:
    models: tuple[Model, ...]


@dataclass(frozen=True)
class _Labels:
    labels: tuple[Label, ...]


@dataclass(frozen=True)
class _Problem:
    title: str
    detail: str
    request_id: str


class GatewayClient:
    """Asks the gateway; every failure is a GatewayError. Safe to share between threads."""

    def __init__(
        self,
        base_url: str,
        timeout_s: float,
        transport: httpx.BaseTransport | None = None,
        api_key: str | None = None,
    ) -> None:
        self.base_url = base_url
        self.timeout_s = timeout_s
        # The gateway is given by address: a proxy of the environment has no place in between.
        self._http = httpx.Client(
            base_url=base_url,
            transport=transport,
            trust_env=False,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
        )

    def readiness(self) -> Readiness:
        """Say which version serves by default; UnavailableError while none does."""
        return self._ask(Readiness, "/readyz")

    def models(self) -> tuple[Model, ...]:
        """List what is registered, ready or not."""
        return self._ask(_Models, "/v1/models").models

    def labels(self, model: str, version: str) -> tuple[Label, ...]:
        """List the classes of one version."""
        path = f"/v1/models/{model}/labels"
        return self._ask(_Labels, path, params={"version": version}).labels

    def segment(self, image: bytes, version: str | None) -> Segmentation:
        """Segment an encoded image with the given version, or with the default one."""
        started = time.monotonic()
        response = self._send(
            "POST",
            "/segmentation",
            timeout_s=self.timeout_s,
            files={"file": ("picture", image, "application/octet-stream")},
            params={"version": version} if version else {},
        )
        return _segmentation(response, time.monotonic() - started)

    def _ask(self, shape: type[Answer], path: str, params: dict[str, str] | None = None) -> Answer:
        response = self._send(
            "GET", path, timeout_s=min(self.timeout_s, _QUESTION_TIMEOUT_S), params=params
        )
        try:
            return TypeAdapter(shape).validate_json(response.content)
        except ValidationError as error:
            raise _unexpected(response) from error

    def _send(self, method: str, path: str, *, timeout_s: float, **content: Any) -> httpx.Response:
        request_id = uuid.uuid4().hex
        try:
            response = self._http.request(
                method, path, timeout=timeout_s, headers={"X-Request-ID": request_id}, **content
            )
        except httpx.TimeoutException as error:
            raise _timed_out(timeout_s, request_id) from error
        except httpx.ConnectError as error:
            raise _unreachable(self.base_url, request_id) from error
        except httpx.HTTPError as error:
            raise _broken_off(self.base_url, request_id) from error
        if response.status_code != httpx.codes.OK:
            raise _refusal(response)
        return response


def _segmentation(response: httpx.Response, elapsed_s: float) -> Segmentation:
    headers = response.headers
    try:
        if headers["Content-Type"] != "image/png":
            raise _unexpected(response)
        return Segmentation(
            mask_png=response.content,
            class_pixels=parse_class_pixels(headers["X-Class-Pixels"]),
            model=headers["X-Model"],
            version=headers["X-Model-Version"],
            request_id=headers["X-Request-ID"],
            elapsed_s=elapsed_s,
        )
    except (KeyError, ValueError) as error:
        raise _unexpected(response) from error


def parse_class_pixels(header: str) -> dict[int, int]:
    """Read '0=195000,15=67144' as pixels by class id; ValueError for anything else."""
    counts = {}
    for item in header.split(","):
        class_id, _, pixels = item.partition("=")
        counts[int(class_id)] = int(pixels)
    return counts


def _refusal(response: httpx.Response) -> GatewayError:
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return _locked_out(response)
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return _unexpected(response)
    try:
        problem = TypeAdapter(_Problem).validate_json(response.content)
    except ValidationError:
        return _unexpected(response)
    status = response.status_code
    later = status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR
    kind = UnavailableError if later else RefusedError
    return kind(problem.title, problem.detail, problem.request_id)


def _timed_out(timeout_s: float, request_id: str) -> TimedOutError:
    return TimedOutError(
        "The gateway takes too long",
        f"It was silent for {timeout_s:g} seconds, so the page stopped waiting. "
        "It may be busy: try again in a moment.",
        request_id,
    )


def _unreachable(base_url: str, request_id: str) -> UnreachableError:
    return UnreachableError(
        "The gateway does not answer",
        f'Nothing answers at {base_url}. Start Segserve with "make run", '
        "or set SEGSERVE_UI_GATEWAY_URL to the gateway's address.",
        request_id,
    )


def _broken_off(base_url: str, request_id: str) -> UnreachableError:
    return UnreachableError(
        "The connection to the gateway broke",
        f"{base_url} was reached, but no complete answer came back. Try again; "
        "if it stays so, the gateway's log says more.",
        request_id,
    )


def _locked_out(response: httpx.Response) -> RefusedError:
    # Not the gateway's own words: whoever sits at the page sends no headers.
    return RefusedError(
        "The gateway does not know this page",
        'It asks for a key. Make one with "python -m gateway.keys add --name page" '
        "and start the page with SEGSERVE_UI_API_KEY set to it.",
        response.headers.get("X-Request-ID", response.request.headers["X-Request-ID"]),
    )


def _unexpected(response: httpx.Response) -> UnexpectedAnswerError:
    request = response.request
    return UnexpectedAnswerError(
        "The gateway gave an answer that this page does not understand",
        f"{request.url.copy_with(query=None)} answered {response.status_code}. Check that "
        "SEGSERVE_UI_GATEWAY_URL is Segserve's gateway, of the same release as this page.",
        response.headers.get("X-Request-ID", request.headers["X-Request-ID"]),
    )
