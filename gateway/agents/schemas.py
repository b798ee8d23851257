"""The messages of agents, as far as the gateway reads them."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from gateway.agents.seeds import Seed
from gateway.models.parameters import VERSION_PATTERN

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Version = Annotated[str, StringConstraints(pattern=VERSION_PATTERN)]
_MOST = 1000  # of models, and of versions of one: more is not a report


class VersionHeartbeat(BaseModel):
    """A version on the node."""

    sha256: str = Field(max_length=64)
    state: Literal["fetching", "loading", "ready", "draining", "failed"]
    ready: int = Field(ge=0, le=10_000)
    wanted: int = Field(ge=0, le=10_000)
    reason: str | None = Field(default=None, max_length=2000)
    loaded_at: str | None = Field(default=None, max_length=64)


class Heartbeat(BaseModel):
    """What a node serves."""

    node: Name
    url: str = Field(pattern=r"^https?://[^\s/]+$", max_length=300)
    token: str | None = Field(default=None, pattern=r"^[!-~]*$", max_length=300)
    generation: int = Field(ge=0)
    free_memory_mb: int | None = Field(default=None, ge=0)
    doing: str | None = Field(default=None, max_length=300)
    models: dict[Name, Annotated[dict[Version, VersionHeartbeat], Field(max_length=_MOST)]] = Field(
        max_length=_MOST
    )


class SeedOffer(BaseModel):
    """An archive that came with a node."""

    model: Name
    version: Version
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    stable: bool

    @property
    def seed(self) -> Seed:
        """Return what is offered, as `Seeds` takes it."""
        return Seed(self.model, self.version, self.sha256, self.stable)
