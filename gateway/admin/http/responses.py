"""Responses of the administration: JSON with the ETag of the model."""

import hashlib
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel
from starlette.responses import Response

from gateway.admin.service import Created
from gateway.openapi.headers import header
from gateway.openapi.problems import Responses
from gateway.registry.idempotency import Request

# The errors of every list, and of every change of a model.
LIST_PROBLEMS: Final = ("invalid_request", "registry_unavailable")
CHANGE_PROBLEMS: Final = (
    *LIST_PROBLEMS,
    "not_found",
    "conflict",
    "precondition_failed",
    "image_too_large",
    "unsupported_encoding",
)
_ETAG: Final = {"ETag": header("The model's state; send it as If-Match.", '"7"')}


def tagged(status: int = 200) -> Responses:
    """Return the documented headers of an answer about a model."""
    return {status: {"headers": dict(_ETAG)}}


def with_etag(response: Response, etag: int) -> None:
    """Set the header."""
    response.headers["ETag"] = f'"{etag}"'


def created(answer: Created) -> Response:
    """Return the response of a creating request."""
    headers = {"ETag": f'"{answer.etag}"'}
    return Response(answer.body, answer.status, headers, media_type="application/json")


def digested(request: Request | None, body: BaseModel) -> Request | None:
    """Return the idempotent request with the digest of its body."""
    text: Any = body.model_dump_json()
    return request and replace(request, digest=hashlib.sha256(text.encode()).hexdigest())
