"""The principal of a request: its key's id, name, role and limits, without the secret."""

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["user", "admin"]
_ANONYMOUS: Final = "anonymous"


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

    @property
    def key_id(self) -> str | None:
        """The key's id; None for a sender without a key."""
        return None if self.id == _ANONYMOUS else self.id


# The principal of every request while no keys are required.
ANONYMOUS_ADMIN: Final = Principal(_ANONYMOUS, _ANONYMOUS, "admin")
# The principal of a request to a public route while keys are required.
ANONYMOUS: Final = Principal(_ANONYMOUS, _ANONYMOUS, "user")
# The gateway's own user on this machine, who can read its token.
LOCAL: Final = Principal("local", "this machine", "admin")
