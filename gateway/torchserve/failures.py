"""Translation of TorchServe's failures to the gateway's errors."""

import json
import logging
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp

from gateway.errors import (
    DeadlineExceededError,
    GatewayError,
    ImageTooLargeError,
    InvalidRequestError,
    ModelUnavailableError,
    NodeUnreachableError,
    NoWorkerFreeError,
    TooManyPixelsError,
    UnreadableImageError,
    UnsupportedFormatError,
    WorkerDiedError,
)

logger = logging.getLogger(__name__)

_AGAIN: Final = "Send the request again in a few seconds."

# The client's exceptions. The first matching row applies; the last row matches all others.
TRANSPORT: Final[tuple[tuple[tuple[type[Exception], ...], type[GatewayError], str], ...]] = (
    (
        (aiohttp.ConnectionTimeoutError,),
        NodeUnreachableError,
        f"The inference server does not accept connections. {_AGAIN}",
    ),
    (
        (aiohttp.ClientConnectorError,),
        NodeUnreachableError,
        f"The inference server does not run, or is starting. {_AGAIN}",
    ),
    (
        (TimeoutError,),
        DeadlineExceededError,
        "The inference server did not answer in time. Send the request again.",
    ),
    (
        (aiohttp.ClientError,),
        NodeUnreachableError,
        f"The inference server closed the connection before its answer was complete. {_AGAIN}",
    ),
)

# Our handler's error for one image: {"code": "<one of these>", "detail": "..."}.
HANDLER: Final[dict[str, type[GatewayError]]] = {
    error.code: error
    for error in (
        InvalidRequestError,
        TooManyPixelsError,
        UnsupportedFormatError,
        UnreadableImageError,
        ModelUnavailableError,
        DeadlineExceededError,
    )
}


@dataclass(frozen=True)
class Rule:
    """A rule for one kind of TorchServe's errors: {"code": 503, "type": ..., "message": ...}."""

    error: type[GatewayError]
    detail: str
    status: int | None = None
    types: tuple[str, ...] = ()
    message: str = ""

    def matches(self, status: int, kind: str, message: str) -> bool:
        """Whether status, type and message are those of this rule."""
        return (
            self.status in (None, status)
            and (not self.types or kind in self.types)
            and self.message in message
        )


# The first matching rule applies; the last one matches everything.
TORCHSERVE: Final = (
    Rule(
        NodeUnreachableError,
        f"The inference server is loading the version. {_AGAIN}",
        status=404,
        types=("ModelNotFoundException", "ModelVersionNotFoundException"),
    ),
    Rule(
        ImageTooLargeError,
        "The upload is larger than the inference server takes. Send a smaller image.",
        status=413,
    ),
    Rule(
        NoWorkerFreeError,
        f"The model takes no request now. {_AGAIN}",
        status=503,
        types=("ServiceUnavailableException",),
        message="has no worker to serve",
    ),
    Rule(
        WorkerDiedError,
        f"The model's worker stopped while it computed, and is being restarted. {_AGAIN}",
        message="Worker died",
    ),
    # TorchServe's answer to a query for labels whose worker a command ended.
    Rule(
        WorkerDiedError,
        f"The model's worker was taken away. {_AGAIN}",
        message="Worker scaled down",
    ),
    Rule(
        ModelUnavailableError,
        "The model's worker ran out of memory. Send a smaller image, or send it again later.",
        status=507,
    ),
    Rule(
        ModelUnavailableError,
        f"The model could not compute an answer. {_AGAIN}",
        status=503,
    ),
    Rule(
        NodeUnreachableError,
        f"The inference server has just been started again. {_AGAIN}",
        types=("InvalidKeyException",),
    ),
    Rule(ModelUnavailableError, f"The inference server failed. {_AGAIN}"),
)


def from_transport(failure: aiohttp.ClientError | TimeoutError) -> GatewayError:
    """Return the error for a request without a response."""
    row = next(row for row in TRANSPORT if isinstance(failure, row[0]))
    return row[1](row[2])


def _fields(body: bytes) -> dict[str, object]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


class HasStatusAndBody(Protocol):
    """The response of either client."""

    @property
    def status_code(self) -> int: ...

    @property
    def content(self) -> bytes: ...


def is_from_handler(response: HasStatusAndBody) -> bool:
    """Whether a worker answered, and not TorchServe in its place."""
    code = _fields(response.content).get("code")
    return isinstance(code, str) and code in HANDLER


def from_response(response: HasStatusAndBody) -> GatewayError:
    """Return the error for a response other than 200, from the handler or from TorchServe."""
    fields = _fields(response.content)
    code = fields.get("code")
    if isinstance(code, str) and code in HANDLER:
        # JSON may hold lone surrogates, which no response can carry.
        detail = str(fields.get("detail", "")).encode("utf-8", "replace").decode()
        return HANDLER[code](detail)
    kind, message = str(fields.get("type", "")), str(fields.get("message", ""))
    rule = next(rule for rule in TORCHSERVE if rule.matches(response.status_code, kind, message))
    if issubclass(rule.error, ModelUnavailableError):
        logger.warning("TorchServe answered %d %s: %.200r", response.status_code, kind, message)
    return rule.error(rule.detail)
