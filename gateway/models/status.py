"""The versions of a model at one moment, and what their archives say about themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue


@dataclass(frozen=True)
class VersionStatus:
    """A version that can be served.

    workers: number of ready workers, on all nodes. loaded_at: when the oldest of them started.
    wanted: number of workers that it was given.
    """

    version: str
    workers: int
    loaded_at: datetime | None
    wanted: int = 0


@dataclass(frozen=True)
class ModelStatus:
    """The versions of a model at one moment. default_version: the stable one; None without."""

    default_version: str | None
    versions: tuple[VersionStatus, ...]

    def find(self, version: str) -> VersionStatus | None:
        """Return the status of a version, or None if there is none."""
        return next((status for status in self.versions if status.version == version), None)


@dataclass(frozen=True)
class ModelFacts:
    """What an archive says about itself.

    labels: class id -> name. spec, provenance, card: its files; empty for an older archive.
    """

    labels: Mapping[int, str]
    spec: Mapping[str, JsonValue] = field(default_factory=dict)
    provenance: Mapping[str, JsonValue] = field(default_factory=dict)
    card: Mapping[str, JsonValue] = field(default_factory=dict)
