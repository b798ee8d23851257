"""Request and response schemas of the keys routes."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from gateway.keys.api_key import Concurrency, Name
from gateway.keys.principal import Role
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
