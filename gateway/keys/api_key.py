"""API keys, `sgs_<id>_<secret>`, and their stored form."""

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


def _as_integer(value: object) -> object:
    """Convert a float without a fraction to an integer: in JSON, 4.0 and 4 are the same number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Safe in a table and in a log line.
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,64}$")]
Concurrency = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_as_integer)]


class Key(BaseModel):
    """The stored form of a key: its metadata, and a digest of its secret."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(pattern="^[0-9a-f]{12}$")
    name: Name
    role: Role
    created_at: AwareDatetime
    digest: str = Field(pattern="^[0-9a-f]{64}$", repr=False)
    rate: Rate | None
    concurrency: Concurrency | None


def issue(name: str, role: Role, rate: str | None, concurrency: int | None) -> tuple[Key, str]:
    """Make a new key; return its stored form and the key itself; raises ValidationError."""
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
    """Return the SHA-256 digest of a secret in hexadecimal digits."""
    # One round is enough: the secrets are random and have 256 bits.
    return hashlib.sha256(secret.encode()).hexdigest()


def split(presented: str) -> tuple[str, str]:
    """Split a presented key into id and secret; the id is empty if it is not a key at all."""
    prefix, _, rest = presented.partition("_")
    identity, _, secret = rest.partition("_")
    return (identity, secret) if prefix == _PREFIX else ("", secret)
