"""Response schemas of the administration; no field has a default, so none is ever omitted."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

_NEXT = Field(description="The cursor of the next page; null on the last one.")


class RegisteredModel(BaseModel):
    """A model and its traffic policy."""

    name: str = Field(description="Its name.")
    etag: int = Field(description="Grows with each change; the same as in the header ETag.")
    aliases: dict[str, str] = Field(description="Alias -> version.")
    canary_percent: int = Field(description="Share of the clients that the canary answers.")
    shadow_percent: int = Field(description="Share of the images that the shadow gets too.")
    limits: dict[str, float | None] = Field(
        description="What a canary may not exceed, where it is not the gateway's default."
    )


class PlacementEntry(BaseModel):
    """Workers of a version on a node."""

    version: str = Field(description="The version.")
    node: str = Field(description="The node; * is every node without a placement of its own.")
    workers: int = Field(description="Their number.")


class RegisteredModelDetail(RegisteredModel):
    """A model, its traffic policy and its placements."""

    placements: list[PlacementEntry] = Field(description="By version and node.")


class RegisteredModels(BaseModel):
    """A page of models."""

    items: list[RegisteredModel] = Field(description="By name.")
    next: str | None = _NEXT


class VersionOnNode(BaseModel):
    """A version on a node, as its agent reported it last."""

    node: str = Field(description="The node.")
    state: str = Field(description="fetching, loading, ready, draining or failed.")
    ready: int = Field(description="Workers that are ready.")
    wanted: int = Field(description="Workers that should be.")
    reason: str = Field(description="Of a failure, in one line.")


class EvaluationSummary(BaseModel):
    """The mean IoU on a data set."""

    data_name: str = Field(description="What people call the data set.")
    data_digest: str = Field(description="SHA-256 of all its files.")
    miou: float | None = Field(description="Mean IoU, 0 to 1; null if the figures have none.")


class RegisteredVersion(BaseModel):
    """A version of a model: one archive."""

    model: str = Field(description="The model.")
    version: str = Field(description="Its name.")
    sha256: str = Field(description="The archive's SHA-256.")
    size: int = Field(description="The archive's bytes.")
    state: Literal["available", "retired"] = Field(description="Whether it may be served.")
    classes: int = Field(description="The number of its classes.")
    created_at: datetime = Field(description="When it was added.")
    created_by: str = Field(description="By which key.")
    aliases: list[str] = Field(description="The aliases that name it.")
    nodes: list[VersionOnNode] = Field(description="Where it is, on nodes that were heard.")
    evaluations: list[EvaluationSummary] = Field(description="The newest on each data set.")


class RegisteredVersions(BaseModel):
    """A page of versions."""

    items: list[RegisteredVersion] = Field(description="In the order of adding.")
    next: str | None = _NEXT


class RegisteredVersionDetail(RegisteredVersion):
    """A version with all that its archive says about itself."""

    labels: dict[str, str] = Field(description="Class id -> name.")
    spec: dict[str, Any] = Field(description="What its network takes and gives: model.json.")
    provenance: dict[str, Any] | None = Field(description="Where it comes from, if it says so.")
    card: dict[str, Any] | None = Field(description="What its author says, if anything.")


class EvaluationEntry(BaseModel):
    """Figures of a version on a data set."""

    id: int = Field(description="Grows with each evaluation.")
    version: str = Field(description="The version.")
    data_name: str = Field(description="What people call the data set.")
    data_digest: str = Field(description="SHA-256 of all its files.")
    figures: dict[str, Any] = Field(description="The figures, as they were recorded.")
    created_at: datetime = Field(description="When they were recorded.")
    created_by: str = Field(description="By which key.")


class EvaluationEntries(BaseModel):
    """A page of evaluations."""

    items: list[EvaluationEntry] = Field(description="The newest first.")
    next: str | None = _NEXT


class GateVerdict(BaseModel):
    """Whether a version may become stable, by what was measured."""

    passed: bool = Field(description="Whether nothing speaks against it.")
    reasons: list[str] = Field(description="What speaks against it.")
    findings: list[str] = Field(description="What speaks for it.")
    unknown: list[str] = Field(description="What is not known, and does not close the gate.")


class Promotion(BaseModel):
    """A promotion that was done."""

    version: str = Field(description="The version that is stable now.")
    former: str | None = Field(description="The version that was, if any.")
    forced: bool = Field(description="Whether the gate was closed.")
    verdict: GateVerdict = Field(description="The gate's.")
    model: RegisteredModelDetail = Field(description="The model after it.")


class ClassComparison(BaseModel):
    """How far stable and shadow agree on a class."""

    id: int = Field(description="Stable's class id; 255 is what stable has no class for.")
    name: str | None = Field(description="Stable's name for it.")
    iou: float | None = Field(description="Intersection over union, 0 to 1; null: no pixel of it.")


class ShadowFigures(BaseModel):
    """Sums of comparisons."""

    images: int = Field(description="Images that were compared.")
    failed: int = Field(description="Requests to the shadow that failed.")
    agreement: float | None = Field(description="Share of pixels of the same class, 0 to 1.")
    classes: list[ClassComparison] = Field(description="Of every class that was seen.")
    stable_ms: float | None = Field(description="Stable's mean latency in milliseconds.")
    shadow_ms: float | None = Field(description="The shadow's, on one core in spare time.")


class ShadowHourEntry(ShadowFigures):
    """Comparisons of an hour."""

    hour: datetime = Field(description="Its beginning.")


class ShadowPair(ShadowFigures):
    """Comparisons of a pair of versions, in sum and by the hour."""

    stable: str = Field(description="The version that answered.")
    shadow: str = Field(description="The version that got copies.")
    hours: list[ShadowHourEntry] = Field(description="The newest first.")


class ShadowComparison(BaseModel):
    """Comparisons of a model's shadows with stable."""

    model: str = Field(description="The model.")
    since: datetime = Field(description="The beginning of what was summed.")
    pairs: list[ShadowPair] = Field(description="Each pair of versions.")


class VersionReportEntry(BaseModel):
    """A version, as the node's agent reported it last."""

    model: str = Field(description="The model.")
    version: str = Field(description="The version.")
    state: str = Field(description="fetching, loading, ready, draining or failed.")
    ready: int = Field(description="Workers that are ready.")
    wanted: int = Field(description="Workers that should be.")
    reason: str = Field(description="Of a failure, in one line.")


class NodeEntry(BaseModel):
    """A machine with TorchServe and its agent."""

    name: str = Field(description="Its name.")
    url: str = Field(description="Its inference API, as gateways reach it.")
    last_seen: datetime = Field(description="When it was heard last.")
    age_s: float = Field(description="Seconds since then.")
    fresh: bool = Field(description="Whether it gets requests: it was heard within 10 seconds.")
    free_memory_mb: int = Field(description="Its free memory in MiB.")
    doing: str | None = Field(description="The step that its agent is doing.")
    versions: list[VersionReportEntry] = Field(description="What it has.")


class NodeEntries(BaseModel):
    """A page of nodes."""

    items: list[NodeEntry] = Field(description="By name.")
    next: str | None = _NEXT


class AuditRecord(BaseModel):
    """A change: who, when, what and why."""

    id: int = Field(description="Grows with each change.")
    at: datetime = Field(description="When.")
    actor: str = Field(description="The key by which it was changed, its name and id.")
    action: str = Field(description="The kind of change, such as alias.set.")
    model: str | None = Field(description="The model; null if it concerns none.")
    subject: str = Field(description="What was changed.")
    before: Any = Field(description="Its value before.")
    after: Any = Field(description="Its value after.")
    why: str = Field(description="The reason that was given.")


class AuditRecords(BaseModel):
    """A page of the audit log."""

    items: list[AuditRecord] = Field(description="The newest first.")
    next: str | None = _NEXT
