"""Response schemas of the probes."""

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The gateway process is alive."""

    status: Literal["ok"] = Field(description="Always ok.")


class Readiness(BaseModel):
    """The default version has workers that answer."""

    status: Literal["ready"] = Field(description="Always ready; 503 is answered otherwise.")
    model: str = Field(description="The model.")
    version: str = Field(description="The default version.")
    workers: int = Field(description="Its workers that are ready.")
