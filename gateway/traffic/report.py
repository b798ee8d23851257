"""A node's report of itself: what an agent sends every second, and what the registry keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

READY: Final = "ready"
Kind = TypeVar("Kind", str, int)


@dataclass(frozen=True)
class VersionReport:
    """A version on a node.

    state: fetching, loading, ready, draining or failed. ready, wanted: workers. reason: of a
    failure, in one line. answered_s: seconds since a worker answered; None if none ever did.
    """

    sha256: str = ""
    state: str = ""
    ready: int = 0
    wanted: int = 0
    reason: str = ""
    loaded_at: str = ""
    answered_s: float | None = None


@dataclass(frozen=True)
class Report:
    """A node.

    token: of its TorchServe's inference API. doing: the step that its agent takes, in words.
    models: model -> version -> its state.
    """

    node: str
    url: str
    token: str = ""
    doing: str = ""
    free_memory_mb: int = 0
    models: Mapping[str, Mapping[str, VersionReport]] = field(default_factory=dict)


class HeardNode(Protocol):
    """A node as the registry's snapshot has it. last_seen: in UTC, by the clock of a gateway."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    @property
    def last_seen(self) -> datetime | None: ...

    @property
    def report(self) -> Mapping[str, Any]: ...


def read_report(name: str, url: str, raw: Mapping[str, Any]) -> Report:
    """Return a report from its JSON; what is missing or of another type is left out."""
    models = {
        model: {version: _version(each) for version, each in _table(versions).items()}
        for model, versions in _table(raw.get("models")).items()
    }
    memory = _value(raw, "free_memory_mb", int, 0)
    token, doing = (_value(raw, each, str, "") for each in ("token", "doing"))
    return Report(name, url, token, doing, memory, models)


def _version(raw: object) -> VersionReport:
    table = _table(raw)
    answered = table.get("answered_s")
    return VersionReport(
        sha256=_value(table, "sha256", str, ""),
        state=_value(table, "state", str, ""),
        ready=max(0, _value(table, "ready", int, 0)),
        wanted=max(0, _value(table, "wanted", int, 0)),
        reason=_value(table, "reason", str, ""),
        loaded_at=_value(table, "loaded_at", str, ""),
        answered_s=float(answered) if isinstance(answered, int | float) else None,
    )


def _table(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _value(table: Mapping[str, Any], name: str, kind: type[Kind], default: Kind) -> Kind:
    value = table.get(name)
    return value if isinstance(value, kind) and not isinstance(value, bool) else default
