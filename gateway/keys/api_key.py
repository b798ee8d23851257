"""What an API key is, `sgs_<id>_<secret>`, and what is kept of it."""

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from gateway.keys.principal import Role
from gateway.rate import Rate

_PREFIX: Final = "sgs"
_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32


def _whole(value: object) -> object:
    """JSON knows one kind of numbers: 4.0 is as whole as 4."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Printable in a table and in a log line.
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,64}$")]
Concurrency = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_whole)]


class Key(BaseModel):
    """Everything about a key but its secret, of which there is a digest only."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(pattern="^[0-9a-f]{12}$")
    name: Name
    role: Role
    created_at: AwareDatetime
    digest: str = Field(pattern="^[0-9a-f]{64}$", repr=False)
    rate: Rate | None
    concurrency: Concurrency | None


def issue(name: str, role: Role, rate: str | None, concurrency: int | None) -> tuple[Key, str]:
    """A new key: what is kept, and what its owner is given. Raises pydantic's ValidationError."""
    secret = secrets.token_hex(_SECRET_BYTES)
    key = Key(
        id=secrets.token_hex(_ID_BYTES),
        name=name,
        role=role,
        created_at=datetime.now(UTC).replace(microsecond=0),
        digest=digest(secret),
        rate=rate,
        concurrency=concurrency,
    )
    return key, f"{_PREFIX}_{key.id}_{secret}"


def digest(secret: str) -> str:
    """What is kept of a secret. One round is enough: nobody can try 2^256 random secrets."""
    return hashlib.sha256(secret.encode()).hexdigest()


def split(presented: str) -> tuple[str, str]:
    """Id and secret of what a client sent; the id is empty when it has not the form of a key."""
    prefix, _, rest = presented.partition("_")
    identity, _, secret = rest.partition("_")
    return (identity, secret) if prefix == _PREFIX else ("", secret)
