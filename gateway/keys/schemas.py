"""Request and response schemas of the keys routes."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from gateway.keys.api_key import Concurrency, Name
from gateway.keys.principal import Role
from gateway.openapi.schemas import Examples
from gateway.rate import Rate


class KeyCreate(BaseModel):
    """The key that is wanted; what is left out is the gateway's default."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name = Field(description="Whose it is.", examples=["field-app"])
    role: Role = Field("user", description="An admin may also use the routes under /v1/admin.")
    rate: Rate | None = Field(
        None, description="Requests that compute in a time, for this key.", examples=["600/minute"]
    )
    concurrency: Concurrency | None = Field(None, description="Requests at once, for this key.")


class KeyEntry(BaseModel):
    """A key without its secret, which is kept nowhere."""

    id: str = Field(description="The part of the key that is no secret: sgs_<id>_<secret>.")
    name: str = Field(description="Whose it is.")
    role: Role = Field(description="An admin may also use the routes under /v1/admin.")
    created_at: datetime = Field(description="When it was made.")
    rate: str | None = Field(description="Its own limit; null where the gateway's holds.")
    concurrency: int | None = Field(description="Its own limit; null where the gateway's holds.")


class Keys(BaseModel):
    """Every key there is."""

    keys: list[KeyEntry] = Field(description="In the order of their making.")


class CreatedKey(KeyEntry):
    """A key that was just made."""

    key: str = Field(description="The key. Keep it now: it is never shown again.")


_KEY: Final = {
    "id": "0f3a2b1c4d5e",
    "name": "field-app",
    "role": "user",
    "created_at": "2026-11-23T07:48:10Z",
    "rate": "600/minute",
    "concurrency": None,
}

EXAMPLES: Final[Examples] = {
    KeyCreate: {"name": "field-app", "role": "user", "rate": "600/minute", "concurrency": 4},
    Keys: {"keys": [_KEY]},
    CreatedKey: _KEY | {"key": "sgs_0f3a2b1c4d5e_ce5f01d5b2f04e7d9b6d5c1a8e0f3b27"},
}
