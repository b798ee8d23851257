"""The model repository extension of the Open Inference Protocol: its index."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.models.catalogue import Catalogue
from gateway.models.status import VersionStatus

State = Literal["READY", "LOADING", "UNLOADING", "UNAVAILABLE"]
# Of several nodes the first of these counts.
_STATES: Final[dict[str, State]] = {
    "loading": "LOADING",
    "fetching": "LOADING",
    "draining": "UNLOADING",
}


class OpenInferenceRepositoryRequest(BaseModel):
    """Which versions to list."""

    model_config = ConfigDict(strict=True)

    ready: bool = Field(False, description="Whether to list only versions that are ready.")


class OpenInferenceRepositoryEntry(BaseModel):
    """A version in the repository."""

    name: str = Field(description="The model.")
    version: str = Field(description="The version.")
    state: State = Field(description="READY with at least one ready worker.")
    reason: str = Field(description="Why it is not ready, as far as the nodes say; else empty.")


def index(
    catalogue: Catalogue, request: OpenInferenceRepositoryRequest
) -> list[OpenInferenceRepositoryEntry]:
    """Return the registered versions; raises ModelUnavailableError while there are none."""
    entries = [_entry(catalogue, each) for each in catalogue.registered().versions]
    return [each for each in entries if each.state == "READY" or not request.ready]


def _entry(catalogue: Catalogue, known: VersionStatus) -> OpenInferenceRepositoryEntry:
    state: State = "READY"
    reason = ""
    if known.workers == 0:
        states = catalogue.states(known.version)
        named = [name for each, name in _STATES.items() if each in states]
        state = named[0] if named else "UNAVAILABLE"
        reason = catalogue.why_not_ready(known.version).strip()
    return OpenInferenceRepositoryEntry(
        name=catalogue.model, version=known.version, state=state, reason=reason
    )
