"""The principal of a request: what the rest of the gateway learns of its key."""

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["user", "admin"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The sender of a request, at scope["state"]["principal"].

    rate: such as 600/minute. concurrency: requests at once. None leaves either to the settings.
    """

    id: str
    name: str
    role: Role
    rate: str | None = None
    concurrency: int | None = None


# Of every request while no keys are required.
ANONYMOUS_ADMIN: Final = Principal("anonymous", "anonymous", "admin")
# Of a request without a key to a public route.
ANONYMOUS: Final = Principal("anonymous", "anonymous", "user")
