"""The sender of a request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request

from gateway.traffic.identity import identity_of


@dataclass(frozen=True)
class Client:
    """The sender of a request.

    is_gone: whether it disconnected; only valid after its whole request was received.
    identity: what keeps it on its side of a canary.
    """

    request_id: str
    is_gone: Callable[[], Awaitable[bool]]
    identity: Callable[[], str]


def client_of(request: Request) -> Client:
    """Return the sender of a request."""
    return Client(request.state.request_id, request.is_disconnected, partial(identity_of, request))
