"""Identity of a client: what keeps it on its side of a canary."""

import hashlib
from typing import Final

from starlette.requests import Request

# Sent by the page with each of its visitors' requests, as they all come from the page's address and
# with its key.
SESSION_HEADER: Final = "X-Segserve-Session"
MOST_RECENT: Final = 500
_LONGEST_SESSION: Final = 32


class RecentClients:
    """The identities of the clients that were seen last. most: that are kept."""

    def __init__(self, most: int = MOST_RECENT) -> None:
        self._most = most
        self._seen: dict[str, None] = {}

    def saw(self, identity: str) -> None:
        """Note a client."""
        seen = self._seen
        seen.pop(identity, None)
        seen[identity] = None
        if len(seen) > self._most:
            del seen[next(iter(seen))]

    def identities(self) -> list[str]:
        """Return them, the one seen last at the end."""
        return list(self._seen)


def identity_of(request: Request) -> str:
    """Return the identity of a request's sender."""
    address = request.client.host if request.client else None
    session = request.headers.get(SESSION_HEADER)
    return client_identity(request.state.principal.key_id, session, address)


def client_identity(key_id: str | None, session: str | None, address: str | None) -> str:
    """Return the identity, 64 characters at most: the key's id, with the session if there is one;
    else the session; else the address.

    The kinds cannot be mistaken for each other. A client may invent sessions; it only changes
    which version it gets.
    """
    key = f"key:{key_id}" if key_id else ""
    if session:
        return f"{key}{'/' if key else ''}session:{_short(session)}"
    return key or f"address:{address or 'unknown'}"


def _short(session: str) -> str:
    if len(session) <= _LONGEST_SESSION:
        return session
    return hashlib.sha256(session.encode("utf-8", "replace")).hexdigest()[:_LONGEST_SESSION]
