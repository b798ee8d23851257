"""Problem documents (RFC 9457): the schema of every error response, and its rendering."""

import json
from typing import Final

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.errors import GatewayError
from gateway.http.response_headers import (
    add_request_id,
    add_security_headers,
    new_request_id,
)

PROBLEM_JSON = "application/problem+json"
# Routes of the Open Inference Protocol, whose clients read the text from the member `error`.
_OPEN_INFERENCE: Final = "/v2/"


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it, with a stable code and the request's id."""

    type: str = Field(description="Always about:blank: the code tells problems apart.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status, repeated.")
    detail: str = Field(description="What is wrong with this request, and what to do.")
    code: str = Field(description="Stable name of the kind of problem, for programs.")
    request_id: str = Field(description="The id to quote; the same as in X-Request-ID.")


class ProblemResponse(Response):
    """A response with a problem document."""

    media_type = PROBLEM_JSON
    code: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the document and set ``state["error_code"]`` for telemetry, which reads no body."""
        scope.setdefault("state", {})["error_code"] = self.code
        if f"{scope['path']}/".startswith(_OPEN_INFERENCE):
            self._add_error()
        await super().__call__(scope, receive, send)

    def _add_error(self) -> None:
        """Add the member `error`, a copy of `detail`, for Open Inference Protocol clients."""
        # Done on sending, because the errors of middleware in front of the routes need it too.
        fields = json.loads(bytes(self.body))
        self.body = json.dumps(fields | {"error": fields["detail"]}).encode()
        self.headers["Content-Length"] = str(len(self.body))


def problem(error: GatewayError, request_id: str) -> Problem:
    """Return the problem document of an error."""
    return Problem(
        type="about:blank",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=request_id,
    )


def render(error: GatewayError, request_id: str) -> Response:
    """Return the response for an error: its problem document and headers."""
    body = problem(error, request_id).model_dump_json()
    if error.members:
        body = json.dumps(json.loads(body) | error.members)
    response = ProblemResponse(body, error.status)
    response.code = error.code
    response.headers.update(error.headers)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def render_bytes(error: GatewayError) -> bytes:
    """Return the last response of a connection, for what never became a request."""
    identity = new_request_id()
    response = render(error, identity)
    headers = response.raw_headers
    add_request_id(headers, identity)
    headers.append((b"connection", b"close"))
    add_security_headers(headers)
    lines = [name + b": " + value + b"\r\n" for name, value in headers]
    return b"".join((STATUS_LINE[error.status], *lines, b"\r\n", bytes(response.body)))
