"""Values that the registry keeps. Moments are timezone aware, in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

VersionState = Literal["available", "retired"]
Json = Mapping[str, Any]

AVAILABLE: Final = "available"
STABLE: Final = "stable"
CANARY: Final = "canary"
SHADOW: Final = "shadow"
# The actor of an automatic roll-back.
AUTOMATIC: Final = "automatic"
# The node of a placement on all nodes.
EVERY_NODE: Final = "*"
SHADOW_SUMS: Final = ("images", "failed", "pixels", "agreeing", "stable_ms", "shadow_ms")


@dataclass(frozen=True, slots=True)
class Change:
    """The circumstances of a change: by whom, why, and to which state.

    if_match: etags of the model, on one of which the change is based; None to change whatever
    there is.
    salt: for a canary that begins; None for one by chance.
    """

    actor: str
    why: str = ""
    if_match: tuple[int, ...] | None = None
    salt: str | None = None


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A version of a model: one archive. Nothing of it changes but its state.

    Except for the archive of a start, which may be built again of the same weights.

    sha256, size: of the archive, in bytes. labels: class id -> name.
    facts: the archive's specification, provenance and card, as JSON.
    """

    model: str
    version: str
    sha256: str
    size: int
    labels: Mapping[int, str]
    facts: Json
    created_at: datetime
    created_by: str
    state: VersionState = "available"


@dataclass(frozen=True, slots=True)
class Placement:
    """Workers of a version on a node, or on each node ("*")."""

    model: str
    version: str
    node: str
    workers: int


@dataclass(frozen=True, slots=True)
class Policy:
    """The traffic policy of a model.

    etag: grows with each change of aliases, policy, placement or a version's state.
    salt: decides which clients are on the canary's side. limits: of the automatic roll-back.
    """

    model: str
    etag: int
    salt: str
    canary_percent: int
    shadow_percent: int
    limits: Json
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A machine with TorchServe and its agent. report: its last heartbeat, as JSON."""

    name: str
    url: str
    last_seen: datetime
    report: Json


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change: who, when, what, before, after and why. model: None if it concerns none."""

    id: int
    at: datetime
    actor: str
    action: str
    model: str | None
    subject: str
    before: Any
    after: Any
    why: str


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """The figures of a version on a data set.

    data_digest: of all files of the data. figures: as `segserve evaluate --json` writes them.
    id: 0 before it is kept.
    """

    model: str
    version: str
    data_digest: str
    data_name: str
    figures: Json
    created_at: datetime
    created_by: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class ShadowHour:
    """Sums of an hour's comparisons of a shadow with stable.

    images: compared ones. failed: requests to the shadow that failed. pixels: of all masks.
    agreeing: pixels of the same class. classes: stable's class id -> (intersection, union), in
    pixels; 255 is what stable has no class for. stable_ms, shadow_ms: latency, summed over the
    images.
    """

    model: str
    stable: str
    shadow: str
    hour: datetime
    images: int = 0
    failed: int = 0
    pixels: int = 0
    agreeing: int = 0
    classes: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    stable_ms: float = 0.0
    shadow_ms: float = 0.0

    def __add__(self, other: "ShadowHour") -> "ShadowHour":
        """Return both together, under this one's pair and hour."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in SHADOW_SUMS}
        classes = dict(self.classes)
        for class_id, (intersection, union) in other.classes.items():
            known = classes.get(class_id, (0, 0))
            classes[class_id] = (known[0] + intersection, known[1] + union)
        return replace(self, classes=classes, **sums)
