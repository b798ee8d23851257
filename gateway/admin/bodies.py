"""Request schemas of the administration."""

import json
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from gateway.models.parameters import VERSION_PATTERN
from gateway.registry.records import EVERY_NODE
from gateway.traffic.rollback import MOST_REQUESTS

_DEEPEST: Final = 8
_REASON: Final = r"^[^\x00-\x1f\x7f-\x9f]{0,1000}$"
NODE_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
PLACE_PATTERN: Final = r"^(\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63})$"


def _as_integer(value: object) -> object:
    """Convert a float without a fraction to an integer: in JSON, 4.0 and 4 are the same number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _checked_figures(figures: dict[str, Any]) -> dict[str, Any]:
    """Refuse what a database or a JSON parser cannot keep: NaN, deep nesting, odd characters."""
    if _depth(figures) > _DEEPEST:
        raise ValueError(f"the figures are nested deeper than {_DEEPEST} levels")
    text = json.dumps(figures, ensure_ascii=False, allow_nan=False)
    text.encode()  # a lone surrogate is no text; the error is a ValueError
    if "\\u0000" in text:
        raise ValueError("the figures have a character of code 0")
    return figures


def _depth(value: object, limit: int = _DEEPEST + 1) -> int:
    if not isinstance(value, dict | list) or not limit:
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max((_depth(each, limit - 1) for each in inner), default=0)


Name = Annotated[str, Field(pattern=VERSION_PATTERN)]
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}$")]
Why = Annotated[str, Field(pattern=_REASON)]
Percent = Annotated[int, Field(ge=0, le=100), BeforeValidator(_as_integer)]
Workers = Annotated[int, Field(ge=0, le=1000), BeforeValidator(_as_integer)]
Requests = Annotated[int, Field(ge=1, le=MOST_REQUESTS), BeforeValidator(_as_integer)]
Limit = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Figures = Annotated[dict[str, Any], AfterValidator(_checked_figures)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _ChangeBody(_Body):
    why: Why = Field("", description="The reason, for the audit log.")


class ArchiveSource(_Body):
    """An archive that the configured object store has already."""

    url: str = Field(
        min_length=1,
        max_length=2000,
        description="Its address, below the configured store's.",
        examples=["s3://archives/incoming/deeplabv3-2.0.mar"],
    )


class AliasChange(_ChangeBody):
    """The version that an alias names from now on."""

    version: Name = Field(description="The version.")


class TrafficShare(_Body):
    """The version that gets a share of the requests."""

    version: Name | None = Field(None, description="The version; absent: as it is.")
    percent: Percent = Field(description="Its share, 0 to 100; 0 keeps the alias.")


class RollbackLimits(_Body):
    """What a canary may not exceed; what is absent is the gateway's default."""

    window_s: Limit = Field(60.0, description="The last seconds, which count.")
    min_requests: Annotated[int, Field(ge=1, le=MOST_REQUESTS), BeforeValidator(_as_integer)] = (
        Field(50, description="With fewer requests in them there is no verdict.")
    )
    error_percent: Limit | None = Field(
        5.0, description="Of the canary's requests that may fail; null: any."
    )
    latency_ms: Limit | None = Field(None, description="Its median in milliseconds; null: any.")
    latency_ratio: Limit | None = Field(
        3.0, description="Its median as a multiple of the stable version's; null: any."
    )


class TrafficChange(_ChangeBody):
    """The shares that change; what is absent stays as it is, null ends it."""

    canary: TrafficShare | None = Field(None, description="Answers its share of the clients.")
    shadow: TrafficShare | None = Field(
        None, description="Gets copies of its share of the images; its masks are compared only."
    )
    limits: RollbackLimits | None = Field(
        None, description="Of the automatic roll-back of a canary; null: the gateway's defaults."
    )


class PlacementChange(_ChangeBody):
    """The workers of a version on a node."""

    workers: Workers | None = Field(description="Their number; null ends the placement.")
    node: Annotated[str, Field(pattern=PLACE_PATTERN)] = Field(
        EVERY_NODE, description="The node; * is every node without a placement of its own."
    )


class EvaluationCreate(_Body):
    """Figures of a version on a data set, as `segserve evaluate --json` writes them."""

    data_name: Text = Field(description="What people call the data set.")
    data_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of all files of the data set: figures on the same data are compared."
    )
    figures: Figures = Field(description="The figures: miou, per_class and others.")


class PromotionRequest(_ChangeBody):
    """The version that becomes stable."""

    version: Name = Field(description="The version, or an alias such as canary.")
    force: bool = Field(False, description="Whether a closed gate is overruled; needs why.")


class RollbackRequest(_ChangeBody):
    """Why the version before becomes stable again."""
