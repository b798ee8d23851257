"""Who asks: what the rest of the gateway learns of a key."""

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["user", "admin"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The sender of a request, at scope["state"]["principal"]; None leaves a limit to the settings.

    rate is written like 600/minute, concurrency counts requests at once.
    """

    id: str
    name: str
    role: Role
    rate: str | None = None
    concurrency: int | None = None


# Nobody is asked for a key: whoever reaches the gateway may do everything.
ANYBODY: Final = Principal("anonymous", "anonymous", "admin")
# Keys are asked for, but not on this route.
VISITOR: Final = Principal("anonymous", "anonymous", "user")
