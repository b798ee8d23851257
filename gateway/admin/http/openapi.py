"""Examples and descriptions of the administration's routes for the OpenAPI document."""

from typing import Any, Final

from gateway.admin.bodies import (
    AliasChange,
    ArchiveSource,
    EvaluationCreate,
    PlacementChange,
    PromotionRequest,
    RollbackRequest,
    TrafficChange,
)
from gateway.admin.http.responses import CHANGE_PROBLEMS
from gateway.admin.schemas import (
    AuditRecords,
    EvaluationEntries,
    EvaluationEntry,
    NodeEntries,
    Promotion,
    RegisteredModelDetail,
    RegisteredModels,
    RegisteredVersionDetail,
    RegisteredVersions,
    ShadowComparison,
)
from gateway.openapi.problems import Responses
from gateway.openapi.schemas import Examples, Schemas, json_or_bytes, reference

ARCHIVE: Final = json_or_bytes(ArchiveSource, "application/octet-stream")
UPLOAD_PROBLEMS: Final = (
    *CHANGE_PROBLEMS,
    "invalid_archive",
    "archive_too_large",
    "unsupported_encoding",
    "store_unavailable",
    "deadline_exceeded",
)
ADDED: Final[Responses] = {
    200: {
        "description": "The version, which was there already with the same bytes.",
        "content": {"application/json": {"schema": reference("RegisteredVersionDetail")}},
    }
}

_DIGEST: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_MOMENT: Final = "2026-11-23T07:48:10Z"
_ACTOR: Final = "operator (0f3a2b1c4d5e)"
_MODEL: Final[dict[str, Any]] = {
    "name": "deeplabv3",
    "etag": 7,
    "aliases": {"canary": "2.0", "stable": "1.0"},
    "canary_percent": 10,
    "shadow_percent": 0,
    "limits": {"error_percent": 2.0},
}
_DETAIL: Final = _MODEL | {"placements": [{"version": "2.0", "node": "*", "workers": 2}]}
_VERSION: Final[dict[str, Any]] = {
    "model": "deeplabv3",
    "version": "2.0",
    "sha256": _DIGEST,
    "size": 9_437_184,
    "state": "available",
    "classes": 2,
    "created_at": _MOMENT,
    "created_by": _ACTOR,
    "aliases": ["canary"],
    "nodes": [
        {"node": "gpu-1-8081", "state": "ready", "ready": 2, "wanted": 2, "reason": ""},
    ],
    "evaluations": [{"data_name": "voc2012-val", "data_digest": _DIGEST, "miou": 0.7412}],
}
_FIGURES: Final = {"miou": 0.7412, "per_class": {"background": 0.93, "cat": 0.81}}
_EVALUATION: Final = {
    "id": 12,
    "version": "2.0",
    "data_name": "voc2012-val",
    "data_digest": _DIGEST,
    "figures": _FIGURES,
    "created_at": _MOMENT,
    "created_by": _ACTOR,
}
_SUMS: Final[dict[str, Any]] = {
    "images": 1200,
    "failed": 0,
    "agreement": 0.9871,
    "classes": [{"id": 8, "name": "cat", "iou": 0.9612}],
    "stable_ms": 21.4,
    "shadow_ms": 24.9,
}

# Bodies whose schemas no parameter of a route adds to the document.
SCHEMAS: Final[Schemas] = ((ArchiveSource, "validation"),)
EXAMPLES: Final[Examples] = {
    ArchiveSource: {"url": "s3://archives/incoming/deeplabv3-2.0.mar"},
    AliasChange: {"version": "2.0", "why": "for the field test"},
    TrafficChange: {"canary": {"version": "2.0", "percent": 10}, "why": "a first try"},
    PlacementChange: {"workers": 2, "node": "*", "why": ""},
    EvaluationCreate: {
        "data_name": "voc2012-val",
        "data_digest": _DIGEST,
        "figures": _FIGURES,
    },
    PromotionRequest: {"version": "canary", "force": False, "why": "a day without errors"},
    RollbackRequest: {"why": "thin cracks are missed"},
    RegisteredModels: {"items": [_MODEL], "next": None},
    RegisteredModelDetail: _DETAIL,
    RegisteredVersions: {"items": [_VERSION], "next": None},
    RegisteredVersionDetail: _VERSION
    | {
        "labels": {"0": "background", "1": "cat"},
        "spec": {"version": 2, "architecture": "deeplabv3"},
        "provenance": None,
        "card": None,
    },
    EvaluationEntries: {"items": [_EVALUATION], "next": "WzEyXQ"},
    EvaluationEntry: _EVALUATION,
    Promotion: {
        "version": "2.0",
        "former": "1.0",
        "forced": False,
        "verdict": {
            "passed": True,
            "reasons": [],
            "findings": ["mean IoU 0.7412 on voc2012-val, stable has 0.7398"],
            "unknown": ["latency was not compared: stable had 12 requests meanwhile"],
        },
        "model": _DETAIL,
    },
    ShadowComparison: {
        "model": "deeplabv3",
        "since": _MOMENT,
        "pairs": [{"stable": "1.0", "shadow": "2.0", "hours": [{"hour": _MOMENT} | _SUMS]} | _SUMS],
    },
    NodeEntries: {
        "items": [
            {
                "name": "gpu-1-8081",
                "url": "http://gpu-1:8080",
                "last_seen": _MOMENT,
                "age_s": 0.4,
                "fresh": True,
                "free_memory_mb": 9120,
                "doing": "loading deeplabv3 2.0",
                "versions": [
                    {
                        "model": "deeplabv3",
                        "version": "2.0",
                        "state": "loading",
                        "ready": 1,
                        "wanted": 2,
                        "reason": "",
                    }
                ],
            }
        ],
        "next": None,
    },
    AuditRecords: {
        "items": [
            {
                "id": 42,
                "at": _MOMENT,
                "actor": _ACTOR,
                "action": "alias.set",
                "model": "deeplabv3",
                "subject": "canary",
                "before": None,
                "after": "2.0",
                "why": "a first try",
            }
        ],
        "next": "WzQyXQ",
    },
}
