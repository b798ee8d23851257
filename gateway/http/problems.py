"""Problem documents (RFC 9457): the shape of every error, and the one place that renders them."""

import json
from typing import Final

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.errors import GatewayError

PROBLEM_JSON = "application/problem+json"
# Its clients expect the error's text in a member of that name.
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
    """A problem document; as it is sent, it leaves its code in the request's state."""

    media_type = PROBLEM_JSON
    code: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """For telemetry, which sees every answer but reads no body."""
        scope.setdefault("state", {})["error_code"] = self.code
        if f"{scope['path']}/".startswith(_OPEN_INFERENCE):
            self._add_error()
        await super().__call__(scope, receive, send)

    def _add_error(self) -> None:
        """The detail once more, where clients of the Open Inference Protocol look for it.

        Here, because every refusal passes, also of what is in front of the routes.
        """
        fields = json.loads(bytes(self.body))
        self.body = json.dumps(fields | {"error": fields["detail"]}).encode()
        self.headers["Content-Length"] = str(len(self.body))


def problem(error: GatewayError, request_id: str) -> Problem:
    """The problem document (RFC 9457) of a failure."""
    return Problem(
        type="about:blank",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=request_id,
    )


def render(error: GatewayError, request_id: str) -> Response:
    """The answer that carries the problem document of a failure, with its headers."""
    response = ProblemResponse(problem(error, request_id).model_dump_json(), error.status)
    response.code = error.code
    response.headers.update(error.headers)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
