"""What agent and gateway say to each other: JSON, once a second."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

# Names become parts of paths and of TorchServe's addresses.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
State = Literal["fetching", "loading", "ready", "draining", "failed"]


class MessageError(ValueError):
    """An answer of the gateway that holds no desired state; the text says what is wrong."""


@dataclass(frozen=True)
class WantedVersion:
    """A version that should be served. workers: None for as many as this node gives a version."""

    sha256: str
    size: int
    workers: int | None = None


@dataclass(frozen=True)
class WantedModel:
    """The versions of a model that should be served. default: TorchServe's default version."""

    default: str | None = None
    versions: Mapping[str, WantedVersion] = field(default_factory=dict)


@dataclass(frozen=True)
class Desired:
    """What should be served on this node. generation: of the registry that says so."""

    generation: int = 0
    models: Mapping[str, WantedModel] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The JSON object, as ``parse_desired`` reads it."""
        return asdict(self)


@dataclass(frozen=True)
class VersionReport:
    """A version on this node. reason: why it failed. loaded_at: ISO 8601, of the oldest worker."""

    sha256: str
    state: State
    ready: int = 0
    wanted: int = 0
    reason: str | None = None
    loaded_at: str | None = None


@dataclass(frozen=True)
class Report:
    """What is served on this node.

    url, token: TorchServe's inference API as gateways reach it. doing: the step that is being
    taken, in words. models: name -> version -> report.
    """

    node: str
    url: str
    token: str | None
    generation: int
    free_memory_mb: int | None
    doing: str | None
    models: Mapping[str, Mapping[str, VersionReport]]

    def to_json(self) -> dict[str, Any]:
        """The JSON object, as gateways take it."""
        return asdict(self)


def parse_desired(data: Any) -> Desired:
    """The desired state in a JSON object. Raises MessageError."""
    try:
        models = {
            _name(name): WantedModel(
                _name_or_none(model["default"]),
                {
                    _name(version): WantedVersion(
                        _digest(facts["sha256"]), _number(facts["size"]), _count(facts["workers"])
                    )
                    for version, facts in model["versions"].items()
                },
            )
            for name, model in data["models"].items()
        }
        return Desired(int(data["generation"]), models)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        raise MessageError(f"no desired state: {type(exc).__name__} {exc}") from exc


def _name(value: Any) -> str:
    text = str(value)
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not a name")
    return text


def _name_or_none(value: Any) -> str | None:
    return None if value is None else _name(value)


def _digest(value: Any) -> str:
    text = str(value)
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise ValueError(f"{text[:80]!r} is not a SHA-256")
    return text


def _number(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{str(value)[:80]!r} is not a number of things")
    return value


def _count(value: Any) -> int | None:
    return None if value is None else _number(value)
