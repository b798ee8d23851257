"""Models as the registry's snapshot has them, with what traffic needs of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Version:
    """A version."""

    state: str = "available"


@dataclass(frozen=True)
class Model:
    """A model with two versions; 1.0 is stable and 2.0 the canary."""

    name: str = "deeplabv3"
    versions: Mapping[str, Version] = field(
        default_factory=lambda: {"1.0": Version(), "2.0": Version(), "0.9": Version("retired")}
    )
    aliases: Mapping[str, str] = field(default_factory=lambda: {"stable": "1.0", "canary": "2.0"})
    canary_percent: int = 0
    salt: str = "salt"


@dataclass(frozen=True)
class Node:
    """A node in the registry."""

    name: str = "a"
    url: str = "http://a:8080"
    last_seen: datetime | None = datetime(2026, 11, 29, tzinfo=UTC)
    report: Mapping[str, Any] = field(default_factory=dict)


def raw_report(state: str = "ready", ready: int = 2, **more: Any) -> dict[str, Any]:
    """The report of a node with version 1.0."""
    version = {"sha256": "abc", "state": state, "ready": ready, "wanted": 2, **more}
    return {
        "token": "a-token",
        "doing": "loading deeplabv3 2.0",
        "free_memory_mb": 500,
        "models": {"deeplabv3": {"1.0": version}},
    }


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
