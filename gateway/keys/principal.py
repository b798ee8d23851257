"""The principal of a request: its key's id, name, role and limits, without the secret."""

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["user", "admin"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The sender of a request, in scope["state"]["principal"].

    rate: such as 600/minute. concurrency: requests at once. None means the limit in the settings.
    """

    id: str
    name: str
    role: Role
    rate: str | None = None
    concurrency: int | None = None


# The principal of every request while no keys are required.
ANONYMOUS_ADMIN: Final = Principal("anonymous", "anonymous", "admin")
# The principal of a request to a public route while keys are required.
ANONYMOUS: Final = Principal("anonymous", "anonymous", "user")
