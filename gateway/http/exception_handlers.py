"""Exception handlers: render every exception as a problem document."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.errors import (
    GatewayError,
    InternalError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
)
from gateway.http.problems import render
from gateway.http.response_headers import add_request_id, add_security_headers
from gateway.route_policy import route_template

# The status that the log shows for a client that disconnected before its response; never sent.
_CLIENT_LEFT: Final = 499

_BY_STATUS: Final[dict[int, tuple[type[GatewayError], str]]] = {
    404: (
        NotFoundError,
        "There is no such route. The documentation at /docs lists those there are.",
    ),
    405: (MethodNotAllowedError, "The route takes other methods, see the Allow header and /docs."),
}


def _from_validation(exc: RequestValidationError) -> GatewayError:
    faults = "; ".join(
        f"{' '.join(str(part) for part in error['loc'])}: {error['msg']}" for error in exc.errors()
    )
    return InvalidRequestError(f"A parameter is not valid: {faults}.")


def _from_http(exc: HTTPException) -> GatewayError:
    error, detail = _BY_STATUS.get(exc.status_code, (InvalidRequestError, str(exc.detail)))
    return error(detail, exc.headers)


def as_gateway_error(exc: Exception) -> GatewayError:
    """Convert an exception that no route handled to the error reported to the client."""
    if isinstance(exc, GatewayError):
        return exc
    if isinstance(exc, RequestValidationError):
        return _from_validation(exc)
    if isinstance(exc, HTTPException):
        return _from_http(exc)
    return InternalError("The gateway failed. Report the request id to its operator.")


def _allow_all(request: Request, response: Response) -> None:
    """Set Allow to all methods of the path; Starlette lists those of the first matching route."""
    operations = request.app.openapi()["paths"].get(route_template(request.scope))
    if operations:
        methods = [each.upper() for each in operations] + ["HEAD"] * ("get" in operations)
    else:  # not in the document
        methods = response.headers.get("Allow", "").split(", ")
    response.headers["Allow"] = ", ".join(sorted(methods))


async def render_exception(request: Request, exc: Exception) -> Response:
    """Return the problem document for an exception."""
    identity = request.state.request_id
    response = render(as_gateway_error(exc), identity)
    if response.status_code == MethodNotAllowedError.status:
        _allow_all(request, response)
    if not isinstance(exc, (GatewayError, RequestValidationError, HTTPException)):
        # Starlette handles unexpected exceptions outside of every middleware, and logs them.
        add_request_id(response.raw_headers, identity)
        add_security_headers(response.raw_headers)
    return response


async def client_left(_: Request, __: Exception) -> Response:
    """End a request whose client closed the connection; the response is never sent."""
    return Response(status_code=_CLIENT_LEFT)


Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]

HANDLERS: Final[dict[int | type[Exception], Handler]] = {
    GatewayError: render_exception,
    RequestValidationError: render_exception,
    HTTPException: render_exception,
    ClientDisconnect: client_left,
    Exception: render_exception,
}
